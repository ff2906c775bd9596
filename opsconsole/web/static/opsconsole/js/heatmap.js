// <ops-heatmap>: requests by duration over time.  A click on a cell opens the traces of that moment and duration.
import { point, watch } from "ops/cursor";
import { axisLabels, clock, text, tick } from "ops/format";
import { faded, token } from "ops/palette";
import { make, newest, PanelElement } from "ops/panel";

const LEFT = 52, BOTTOM = 22, TOP = 4;
const CELL_PX = 6;
const HOT = 0.62;  // from this share of the fullest cell on, the second colour

class OpsHeatmap extends PanelElement {
  #bins = null;
  #rows = [0, 0];  // first and last bucket ever seen with anything in it: they only widen, so that rows stay put

  connectedCallback() {
    super.connectedCallback();
    if (!this.host) {
      this.canvas = make("canvas");
      this.canvas.setAttribute("aria-hidden", "true");
      this.cross = make("div", { className: "cross", hidden: true });
      this.tip = make("div", { className: "tip", hidden: true });
      this.host = make("div", { className: "plot" }, this.canvas, this.cross, this.tip);
      this.prepend(this.host);
      this.canvas.addEventListener("pointermove", (event) => this.#pointed(event));
      this.canvas.addEventListener("pointerleave", () => { this.tip.hidden = true; point(null, this); });
      this.canvas.addEventListener("click", (event) => this.#open(event));
    }
    this.resize = new ResizeObserver(() => this.#paint());
    this.resize.observe(this.host);
    this.unwatch = watch((at) => this.#follow(at));
    this.onTheme = () => this.#paint();
    document.addEventListener("ops-theme", this.onTheme);
  }

  disconnectedCallback() {
    this.resize.disconnect();
    this.unwatch();
    document.removeEventListener("ops-theme", this.onTheme);
  }

  draw(view, empty) {
    this.bounds = empty ? [] : view.panel.series.map((one) => Number(one.labels.le.replace("+Inf", "Infinity")));
    this.#paint();
  }

  alternative({ description, panel }) {
    const said = panel.series.flatMap((one, index) => (newest(panel.columns[index]) > 0 ? [`up to ${one.labels.le} s: ${text(newest(panel.columns[index]), description.unit)}`] : []));
    return `${description.title}, now: ${said.join(", ")}`;
  }

  /** Cells as a person can see them: some steps together, at moments that do not move as time goes on. */
  #gather(width) {
    const { t, from, to, step, panel } = this.view;
    const every = step * Math.max(1, Math.ceil(((to - from) / step) / Math.max(1, width / CELL_PX)));
    const first = Math.floor(from / every), count = Math.floor(to / every) - first + 1;
    const cells = panel.columns.map(() => new Float64Array(count));
    const seen = new Uint16Array(count);
    t.forEach((at, index) => {
      const bin = Math.floor(at / every) - first;
      if (bin < 0 || bin >= count) return;
      seen[bin]++;
      panel.columns.forEach((column, row) => { cells[row][bin] += column[index] ?? 0; });
    });
    let most = 0;
    cells.forEach((row) => row.forEach((sum, bin) => { if (sum > 0) most = Math.max(most, row[bin] = sum / seen[bin]); }));
    return { cells, every, first, count, most };
  }

  #paint() {
    const [width, height] = [this.host.clientWidth, this.host.clientHeight];
    const ratio = devicePixelRatio;
    if (this.canvas.width !== width * ratio || this.canvas.height !== height * ratio) Object.assign(this.canvas, { width: width * ratio, height: height * ratio });
    const ctx = this.canvas.getContext("2d");
    ctx.setTransform(ratio, 0, 0, ratio, 0, 0);
    ctx.clearRect(0, 0, width, height);
    if (!this.bounds?.length || width < LEFT) return;
    this.#bins = this.#gather(width - LEFT);
    const { cells, every, first, count, most } = this.#bins;
    const filled = cells.flatMap((row, index) => (row.some((sum) => sum > 0) ? [index] : []));
    if (filled.length) this.#rows = this.#rows[1] ? [Math.min(this.#rows[0], filled[0]), Math.max(this.#rows[1], filled.at(-1))] : [filled[0], Math.max(filled.at(-1), filled[0] + 1)];
    const rowHeight = this.#rowHeight = (height - BOTTOM - TOP) / (this.#rows[1] - this.#rows[0] + 1);
    for (let row = this.#rows[0]; row <= this.#rows[1]; row++) {
      const top = this.#top(row);
      for (let bin = 0; bin < count; bin++) {
        const share = Math.sqrt(cells[row][bin] / most);  // square root: a few slow ones must be seen beside many fast ones
        const left = this.#x((first + bin) * every), right = this.#x((first + bin + 1) * every);
        if (!(share > 0) || right <= LEFT) continue;
        ctx.fillStyle = faded(share > HOT ? "d7" : "d1", Math.min(1, 0.1 + share * 0.9));
        ctx.fillRect(Math.max(LEFT, left), top, Math.max(1, right - Math.max(LEFT, left) - 1), Math.max(1, rowHeight - 1));
      }
    }
    this.#label(ctx, height);
  }

  #label(ctx, height) {
    ctx.fillStyle = token("ink-3");
    ctx.font = '11px "Inter Variable", system-ui, sans-serif';
    ctx.textBaseline = "middle";
    ctx.textAlign = "right";
    const apart = Math.max(1, Math.ceil(18 / this.#rowHeight));
    for (let row = this.#rows[0]; row < this.#rows[1]; row += apart) ctx.fillText(axisLabels([this.bounds[row]], "s")[0], LEFT - 8, Math.max(TOP + 6, this.#top(row)));
    const { from, to } = this.view;
    const spaces = [1, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400];
    const space = spaces.find((one) => (to - from) / one <= (this.host.clientWidth - LEFT) / 70) ?? 172800;
    ctx.textAlign = "center";
    const shift = new Date().getTimezoneOffset() * 60;
    for (let at = Math.ceil((from - shift) / space) * space + shift; at <= to; at += space) {
      const x = this.#x(at);
      if (x > LEFT + 16 && x < this.host.clientWidth - 20) ctx.fillText(tick(at, space), x, height - 7);
    }
  }

  #rowHeight = 1;
  #top(row) { return TOP + (this.#rows[1] - row) * this.#rowHeight; }
  #x(at) { return LEFT + ((at - this.view.from) / (this.view.to - this.view.from)) * (this.host.clientWidth - LEFT); }

  /** {at, row, count} under a pointer, or null. */
  #cell(event) {
    const box = this.canvas.getBoundingClientRect();
    const [x, y] = [event.clientX - box.left, event.clientY - box.top];
    if (!this.#bins || x < LEFT || y > box.height - BOTTOM) return null;
    const row = this.#rows[1] - Math.floor((y - TOP) / this.#rowHeight);
    const at = this.view.from + ((x - LEFT) / (box.width - LEFT)) * (this.view.to - this.view.from);
    const bin = Math.floor(at / this.#bins.every) - this.#bins.first;
    return this.#bins.cells[row]?.[bin] === undefined ? null : { at, bin, row, x, value: this.#bins.cells[row][bin] };
  }

  #pointed(event) {
    const cell = this.#cell(event);
    this.canvas.style.setProperty("cursor", cell?.value ? "pointer" : "default");
    this.tip.hidden = !cell;
    if (!cell) { point(null, this); return; }
    point(cell.at, this);
    const low = cell.row ? this.bounds[cell.row - 1] : 0, high = this.bounds[cell.row];
    const name = high === Infinity ? `over ${text(low, "s")}` : `${text(low, "s")} – ${text(high, "s")}`;
    this.tip.replaceChildren(make("time", { textContent: clock(cell.at) }), make("div", {}, name, make("b", { textContent: text(cell.value, this.view.description.unit) })));
    const left = cell.x + this.tip.offsetWidth + 24 > this.host.clientWidth ? cell.x - this.tip.offsetWidth - 12 : cell.x + 12;
    this.tip.style.setProperty("transform", `translateX(${Math.round(left)}px)`);
  }

  #follow(at) {
    this.cross.hidden = at === null || !this.bounds?.length;
    if (at !== null && this.view) this.cross.style.setProperty("left", `${this.#x(at)}px`);
  }

  #open(event) {
    const cell = this.#cell(event);
    if (!cell?.value) return;
    const { every, first } = this.#bins, begin = (first + cell.bin) * every;
    const low = cell.row ? this.bounds[cell.row - 1] : 0;
    location.assign(`/traces/?${new URLSearchParams({ from: begin, to: begin + Math.max(every, 10), tab: "slowest", min: `${Math.round(low * 1000)}ms` })}`);
  }
}

customElements.define("ops-heatmap", OpsHeatmap);
