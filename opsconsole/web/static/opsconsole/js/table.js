// <ops-table>: the newest values of several queries, joined to rows by one label.
import { brief, text } from "ops/format";
import { breach, make, PanelElement } from "ops/panel";

class OpsTable extends PanelElement {
  #sort = null;  // {column, down}; column -1 is the key
  #rows = new Map();  // key -> {row, cells}
  #bodies = null;

  connectedCallback() {
    super.connectedCallback();
    this.addEventListener("pointerenter", () => { this.still = true; });
    this.addEventListener("pointerleave", () => { this.still = false; });
  }

  draw(view, empty) {
    const { description, panel } = view;
    if (!this.#bodies) this.#build(description);
    const joined = empty ? new Map() : this.#join(description, panel);
    const order = [...joined.keys()];
    if (!this.still) order.sort(this.#compare(joined));  // rows stay under a pointer that is about to click
    else order.sort((a, b) => [...this.#rows.keys()].indexOf(a) - [...this.#rows.keys()].indexOf(b));
    for (const [key, { row }] of this.#rows) if (!joined.has(key)) { row.remove(); this.#rows.delete(key); }
    const sums = description.queries.map((_, index) => [...joined.values()].reduce((sum, values) => sum + (values[index] ?? 0), 0));
    order.forEach((key, place) => {
      if (!this.#rows.has(key)) this.#rows.set(key, this.#row(key, description));
      const { row, cells } = this.#rows.get(key);
      this.#fill(cells, joined.get(key), sums, description);
      if (this.#bodies.rows[place] !== row) this.#bodies.insertBefore(row, this.#bodies.rows[place] ?? null);
    });
  }

  #build(description) {
    const bar = description.queries.findIndex((query) => query.bar);
    this.#sort = { column: bar, down: bar >= 0 };
    const heading = (label, column, numeric) => {
      const button = make("button", { type: "button", textContent: label });
      button.addEventListener("click", () => this.#order(column));
      return make("th", { className: numeric ? "n" : "", scope: "col" }, button);
    };
    const title = description.key.charAt(0).toUpperCase() + description.key.slice(1).replaceAll("_", " ");
    this.headings = [heading(title, -1, false), ...description.queries.map((query, index) => heading(query.legend, index, !query.bar))];
    this.#bodies = make("tbody");
    this.prepend(make("div", { className: "fold", tabIndex: 0, ariaLabel: description.title }, make("table", {}, make("thead", {}, make("tr", {}, ...this.headings)), this.#bodies)));
    this.#arrows();
  }

  #order(column) {
    this.#sort = { column, down: this.#sort.column === column ? !this.#sort.down : column >= 0 };
    this.#arrows();
    this.still = false;
    this.draw(this.view, !this.view.panel?.series?.length);
  }

  #arrows() {
    this.headings.forEach((heading, index) => {
      if (index - 1 === this.#sort.column) heading.setAttribute("aria-sort", this.#sort.down ? "descending" : "ascending");
      else heading.removeAttribute("aria-sort");
    });
  }

  #join({ key, queries }, panel) {
    const rows = new Map();
    panel.series.forEach((one, index) => {
      const name = one.labels[key] ?? one.name;
      if (!rows.has(name)) rows.set(name, queries.map(() => null));
      rows.get(name)[one.query] = panel.values[index];
    });
    return rows;
  }

  #compare(joined) {
    const { column, down } = this.#sort;
    const by = column < 0 ? (a, b) => a.localeCompare(b, "en", { numeric: true }) : (a, b) => (joined.get(a)[column] ?? -1) - (joined.get(b)[column] ?? -1) || b.localeCompare(a);
    return down ? (a, b) => by(b, a) : by;
  }

  #row(key, description) {
    const cells = description.queries.map((query) => make("td", { className: query.bar ? "trace-bar" : "n" }));
    const name = make("td", { className: "clip", title: key }, make("code", { textContent: key || "(none)" }));
    return { row: make("tr", {}, name, ...cells), cells };
  }

  #fill(cells, values, sums, description) {
    cells.forEach((cell, index) => {
      const query = description.queries[index], value = values[index];
      if (query.bar) {
        const share = value == null ? 0 : query.unit === "ratio" ? value : sums[index] > 0 ? value / sums[index] : 0;
        if (!cell.firstChild) cell.append(make("span", { className: "meter" }, make("i")));
        cell.firstChild.firstChild.style.setProperty("width", `${(share * 100).toFixed(1)}%`);
        cell.title = `${(share * 100).toFixed(0)} % of all`;
        return;
      }
      const said = brief(value, query.unit);
      if (cell.textContent !== said) cell.textContent = said;
      cell.className = `n ${breach(value, index, description)}`;
    });
  }

  alternative({ description, panel }) {
    const rows = [...this.#join(description, panel)].slice(0, 10);
    return `${description.title}: ${rows.map(([key, values]) => `${key} ${values.map((value, index) => `${description.queries[index].legend} ${text(value, description.queries[index].unit)}`).join(", ")}`).join("; ")}`;
  }
}

customElements.define("ops-table", OpsTable);
