// <ops-chart>: lines or stacked areas over time, with the alert's threshold and the time it fired.
import uPlot from "uplot";
import { options, stack } from "ops/axes";
import { point, watch } from "ops/cursor";
import { brief, clock } from "ops/format";
import { drawBands, drawThresholds } from "ops/marks";
import { seriesTokens, token } from "ops/palette";
import { make, names, newest, PanelElement } from "ops/panel";
import { go } from "ops/range";

const MOST_SERIES = 20;
const LEAST_DRAG_PX = 6;
const ROOM_PX = 14;

class OpsChart extends PanelElement {
  #plot = null;
  #shape = "";  // the list of series and their tokens; a change needs a new uPlot
  #values = [];  // unstacked, one column a series
  #at = null;  // the moment the crosshair is at

  connectedCallback() {
    super.connectedCallback();
    if (!this.host) {
      this.legend = make("ul", { className: "legend" });
      this.host = make("div", { className: "plot" });
      this.host.setAttribute("aria-hidden", "true");
      this.tip = make("div", { className: "tip", hidden: true });
      this.prepend(this.legend, this.host);
      this.host.append(this.tip);
    }
    this.resize = new ResizeObserver(() => {
      if (this.host.clientWidth !== this.#plot?.width) this.#fitLegend();
      this.#plot?.setSize({ width: this.host.clientWidth, height: this.host.clientHeight });
    });
    this.resize.observe(this.host);
    this.unwatch = watch((at, source) => this.#follow(at, source));
    this.onTheme = () => { this.#paintLegend(); this.#plot?.redraw(false); };
    document.addEventListener("ops-theme", this.onTheme);
  }

  disconnectedCallback() {
    this.resize.disconnect();
    this.unwatch();
    document.removeEventListener("ops-theme", this.onTheme);
    this.#plot?.destroy();
    this.#plot = null;
    this.#shape = "";
  }

  draw(view, empty) {
    this.headline(view);
    const { description, panel, t } = view;
    const series = (empty ? [] : panel.series).slice(0, MOST_SERIES);
    const tokens = seriesTokens(series, description.queries);
    const called = names(series, description.queries);
    const shape = JSON.stringify([called, tokens, panel?.hidden]);
    this.#values = series.map((_, index) => panel.columns[index]);
    const changed = shape !== this.#shape;
    if (changed) this.#rebuild(series, called, tokens, shape);
    const columns = description.stacked ? stack(this.#values, tokens) : this.#values;
    if (this.#plot) this.#plot.setData([t, ...columns]);
    this.#readings();
    if (changed) this.#fitLegend();
  }

  /** One line or two, decided once and with room for longer numbers: a legend that wraps later would make the chart jump. */
  #fitLegend() {
    this.legend.classList.remove("two");
    const last = this.legend.lastElementChild?.getBoundingClientRect().right ?? 0;
    this.legend.classList.toggle("two", last + ROOM_PX > this.legend.getBoundingClientRect().right);
  }

  #rebuild(series, called, tokens, shape) {
    const { description } = this.view;
    this.#shape = shape;
    this.series = series;
    this.names = called;
    this.tokens = tokens;
    this.#plot?.destroy();
    this.#plot = null;
    const more = (this.view.panel?.hidden ?? 0) + (this.view.panel?.series?.length ?? 0) - series.length;
    this.legend.replaceChildren(
      ...called.map((name) => make("li", {}, make("i"), name, make("b"))),
      ...(series.length ? description.thresholds.map((one) => make("li", { className: "alert" }, make("i"), one.label)) : []),
      ...(more > 0 ? [make("li", { className: "faint" }, `showing ${series.length} of ${series.length + more}`)] : []),
    );
    this.#paintLegend();
    if (!series.length) return;
    const chart = {
      description, tokens, width: this.host.clientWidth, height: this.host.clientHeight,
      stacked: description.stacked && series.length > 1,
      bounds: () => [this.view.from, this.view.to],
      hooks: {
        drawAxes: [(plot) => drawBands(plot, this.view.bands)],
        draw: [(plot) => drawThresholds(plot, description.thresholds)],
        setCursor: [(plot) => this.#pointed(plot)],
        setSelect: [(plot) => this.#zoom(plot)],
      },
    };
    this.#plot = new uPlot(options(chart), [[], ...series.map(() => [])], this.host);
    this.#plot.over.addEventListener("mouseleave", () => { this.tip.hidden = true; this.hovered = false; point(null, this); });
    this.#plot.over.addEventListener("mouseenter", () => { this.hovered = true; });
    this.#plot.over.addEventListener("dblclick", () => this.#wider());
  }

  #paintLegend() {
    this.tokens?.forEach((name, index) => this.legend.children[index]?.firstChild.style.setProperty("background", token(name)));
  }

  /** The values of the legend: at the crosshair, or the newest. */
  #readings() {
    const at = this.#at === null || !this.#plot ? null : this.#plot.valToIdx(this.#at);
    this.series?.forEach((one, index) => {
      const unit = this.view.description.queries[one.query]?.unit ?? this.view.description.unit;
      const column = this.#values[index] ?? [];
      const value = at === null ? newest(column) : column[at];
      const said = value == null ? "–" : brief(value, unit);
      const reading = this.legend.children[index]?.lastChild;
      if (reading && reading.textContent !== said) reading.textContent = said;
    });
  }

  #pointed(plot) {
    if (!this.hovered) return;
    const { idx, left } = plot.cursor;
    if (idx == null || left < 0) return;
    const at = plot.data[0][idx];
    this.#at = at;
    this.#readings();
    point(at, this);
    const rows = this.series.map((one, index) => ({ one, name: this.names[index], token: this.tokens[index], value: this.#values[index][idx] }))
      .filter((row) => row.value != null).sort((a, b) => b.value - a.value);
    this.tip.replaceChildren(make("time", { textContent: clock(at) }), ...rows.map(({ one, name, token: colour, value }) => {
      const key = make("i");
      key.style.setProperty("color", token(colour));
      return make("div", {}, key, name, make("b", { textContent: brief(value, this.view.description.queries[one.query]?.unit ?? this.view.description.unit) }));
    }));
    this.tip.hidden = false;
    const x = plot.over.offsetLeft + left;
    const beyond = x + this.tip.offsetWidth + 24 > this.host.clientWidth;
    this.tip.style.setProperty("transform", `translateX(${Math.round(Math.max(0, beyond ? x - this.tip.offsetWidth - 14 : x + 14))}px)`);
  }

  #follow(at, source) {
    if (!this.#plot || (source === this && at !== null)) return;
    this.#at = at;
    this.#plot.setCursor(at === null ? { left: -10, top: -10 } : { left: this.#plot.valToPos(at, "x"), top: 0 }, false);
    this.#readings();
  }

  #zoom(plot) {
    const { left, width } = plot.select;
    if (width < LEAST_DRAG_PX) return;
    plot.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false);
    go({ from: String(Math.floor(plot.posToVal(left, "x"))), to: String(Math.ceil(plot.posToVal(left + width, "x"))) });
  }

  /** Twice the range around its middle, never beyond now. */
  #wider() {
    const { from, to } = this.view;
    const half = (to - from) / 2;
    const now = Date.now() / 1000;
    go({ from: String(Math.round(from - half)), to: to + half >= now ? "now" : String(Math.round(to + half)) });
  }
}

customElements.define("ops-chart", OpsChart);
