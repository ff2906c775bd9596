// What every panel element shares: its notes (loading, nothing, error), its number at the title, its text alternative.
import { split, text } from "ops/format";

const SAY_EVERY_MS = 15000;
const ADDED = new Set(["req/s", "task/s", "query/s", "exc/s", "count"]);

/** Make an element: `make("i", { className: "shape" }, child, "text")`.  Text is text, never markup. */
export function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

/** The newest value that is not a gap among the last few points, else null. */
export function newest(column) {
  for (let index = column.length - 1; index >= Math.max(0, column.length - 3); index--) if (column[index] != null) return column[index];
  return null;
}

/** One number for all series of a query: rates and counts add up, durations and shares show the worst. */
export function together(values, unit) {
  const known = values.filter((value) => value != null);
  if (!known.length) return null;
  return ADDED.has(unit) ? known.reduce((sum, value) => sum + value, 0) : Math.max(...known);
}

/** Names of series without what they all share: of "P95 shop-web" stays "P95" while there is one job only. */
export function names(series, queries) {
  const same = (label) => series.every((one) => one.labels[label] === series[0].labels[label]);
  const short = series.map((one) => {
    const template = queries[one.query]?.legend ?? "";
    return template.replace(/\{(\w+)\}/g, (_, label) => (same(label) ? "" : one.labels[label] ?? "")).replace(/\s+/g, " ").trim();
  });
  return series.map((one, index) => (short[index] && short.indexOf(short[index]) === short.lastIndexOf(short[index]) ? short[index] : one.name));
}

/** "critical", "warning" or "" for a value of query `index`. */
export function breach(value, index, description) {
  let worst = "";
  for (const one of description.thresholds) {
    if ((one.query ?? description.now ?? 0) !== index || value == null) continue;
    const over = one.direction === "<" ? value < one.value : value > one.value;
    if (over && (worst === "" || one.severity === "critical")) worst = one.severity;
  }
  return worst;
}

/** Base of ops-chart, ops-heatmap, ops-stat and ops-table; they implement `draw(view)` and may `clear()`. */
export class PanelElement extends HTMLElement {
  #note = null;
  #saidAt = -Infinity;

  connectedCallback() {
    this.setAttribute("role", "group");
    if (!this.firstChild) this.note("loading");
  }

  /** view: {description, panel, t, from, to, step, bands}; all times in Unix seconds. */
  show(view) {
    const { panel } = view;
    this.view = view;
    const empty = !panel || !panel.series?.length || (panel.values || panel.columns.flat()).every((value) => value == null);
    if (panel?.error) this.note("error", "This panel could not be computed", panel.error);
    else if (empty && !this.saysEmpty) this.note("empty", "No data in this range", "Choose a longer range, or see Ingest for what arrives");
    else this.note("");
    this.draw(view, empty || Boolean(panel?.error));
    if (performance.now() - this.#saidAt < SAY_EVERY_MS) return;
    this.#saidAt = performance.now();
    this.setAttribute("aria-label", empty ? "No data in this range" : this.alternative(view));
  }

  /** Show a note over the panel: "loading", "empty", "error"; "" takes it away. */
  note(kind, title = "", advice = "") {
    const said = `${kind}|${title}|${advice}`;
    if (this.#note?.said === said) return;
    this.#note?.element.remove();
    this.#note = kind ? { said, element: make("div", { className: `note ${kind}`, title: advice }, make("b", { textContent: title }), make("span", { textContent: advice })) } : null;
    if (this.#note) this.append(this.#note.element);
  }

  /** Put the value of the panel's `now` query at the right of the title. */
  headline({ description, panel }) {
    const output = this.closest(".panel")?.querySelector("h2 output");
    if (!output || description.now === null) return;
    const { unit } = description.queries[description.now];
    const values = panel?.columns ? panel.series.flatMap((one, index) => (one.query === description.now ? [newest(panel.columns[index])] : [])) : [];
    const value = together(values, unit);
    output.textContent = value === null ? "" : split(value, unit).filter((part, index) => index === 0 || !["req/s"].includes(part)).join(" ");
    output.className = breach(value, description.now, description);
  }

  /** The panel in a sentence, for those who do not see it. */
  alternative({ description, panel, bands, to }) {
    const said = panel.series.slice(0, 12).map((one, index) => `${one.name} ${text(newest(panel.columns[index]), description.queries[one.query]?.unit ?? description.unit)}`);
    const firing = bands.some((band) => band.to === null && band.from <= to) ? ["an alert is firing"] : [];
    return `${description.title}: ${[...said, ...description.thresholds.map((one) => one.label), ...firing].join(", ")}`;
  }
}
