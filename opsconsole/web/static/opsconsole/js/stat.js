// <ops-stat>: the numbers that matter, whether they are well, and how they came to be.
import { split, word } from "ops/format";
import { breach, make, newest, PanelElement, together } from "ops/panel";

const SVG = "http://www.w3.org/2000/svg";
const WIDTH = 180, HEIGHT = 26;
const WORDS = { ok: "well", warning: "warning", critical: "critical", none: "no data" };

class OpsStat extends PanelElement {
  saysEmpty = true;  // its number is a dash then; a note would be larger than the panel

  connectedCallback() {
    super.connectedCallback();
    if (this.spark) return;
    this.numbers = make("div", { className: "nums" });
    this.spark = document.createElementNS(SVG, "svg");
    this.spark.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
    this.spark.setAttribute("preserveAspectRatio", "none");
    this.spark.setAttribute("aria-hidden", "true");
    this.under = this.spark.appendChild(document.createElementNS(SVG, "path"));
    this.line = this.spark.appendChild(document.createElementNS(SVG, "path"));
    this.under.setAttribute("class", "under");
    this.prepend(this.numbers, this.spark);
    this.cells = [];
  }

  draw(view, empty) {
    const { description, panel, bands } = view;
    const columns = (index) => (panel?.series || []).flatMap((one, at) => (one.query === index ? [panel.columns[at]] : []));
    let worst = "";
    description.queries.forEach((query, index) => {
      const value = empty ? null : together(columns(index).map(newest), query.unit);
      const state = breach(value, index, description);
      if (state && worst !== "critical") worst = state;
      this.#number(index, value, query, state, description);
    });
    const firing = bands.filter((band) => band.to === null && band.from <= view.to).map((band) => band.severity);
    const state = empty ? "none" : firing.includes("critical") ? "critical" : worst || firing[0] || "ok";
    this.#status(state);
    this.#draw(view, empty ? [] : columns(description.now ?? 0), description.queries[description.now ?? 0]?.unit);
    this.spark.setAttribute("class", `spark ${state}`);
  }

  #number(index, value, query, state, description) {
    if (!this.cells[index]) {
      this.cells[index] = make("div", {}, make("b"), make("span"));
      this.numbers.append(this.cells[index]);
    }
    const [number, unit] = split(value, query.unit);
    const cell = this.cells[index], rate = word(query.unit);
    cell.className = state;
    cell.firstChild.replaceChildren(number, ...(unit && !rate ? [make("u", { textContent: unit })] : []));
    const alone = description.queries.length === 1 && description.subtitle;
    cell.lastChild.textContent = value === null ? "no data" : alone || (query.legend.includes("{") ? rate : query.legend) || rate;
  }

  /** The shape beside the title of a panel that has a threshold; its word is for those who do not see it. */
  #status(state) {
    const shape = this.closest(".panel")?.querySelector("h2 .shape");
    if (!shape) return;
    shape.className = `shape ${state}`;
    shape.setAttribute("role", "img");
    shape.setAttribute("aria-label", WORDS[state] ?? "");
  }

  #draw({ t, from, to }, columns, unit) {
    const values = t.map((_, at) => together(columns.map((column) => column[at]), unit));
    const highest = Math.max(...values.filter((value) => value !== null), 0) || 1;
    let path = "", area = "", begun = null, last = "";
    t.forEach((at, index) => {
      const x = (((at - from) / (to - from)) * WIDTH).toFixed(1);
      if (values[index] === null) {
        if (begun !== null) area += `L${last} ${HEIGHT}L${begun} ${HEIGHT}Z`;
        begun = null;
        return;
      }
      const at2 = `${x} ${(HEIGHT - 1 - (values[index] / highest) * (HEIGHT - 3)).toFixed(1)}`;
      path += `${begun === null ? "M" : "L"}${at2}`;
      area += `${begun === null ? "M" : "L"}${at2}`;
      begun ??= x;
      last = x;
    });
    if (begun !== null) area += `L${last} ${HEIGHT}L${begun} ${HEIGHT}Z`;
    this.line.setAttribute("d", path);
    this.under.setAttribute("d", area);
  }
}

customElements.define("ops-stat", OpsStat);
