// What a board knows: the snapshot, kept up to date by deltas.  Plain data, no DOM.

/** `panels[name]` is {series, columns}, for a table {series, values}, and carries `error` when it failed.  `t` in Unix seconds. */
export class Frame {
  /** `kinds`: panel name -> kind, from the page's description of the board. */
  constructor(snapshot, kinds) {
    this.kinds = kinds;
    this.t = snapshot.t.slice();
    this.now = snapshot.now;
    this.step = snapshot.step;
    this.bands = snapshot.bands || {};
    this.panels = snapshot.panels;
  }

  /** Take the newest instant in; what is older than `span` seconds goes. */
  append(delta, span) {
    const last = this.t[this.t.length - 1];
    if (this.t.length === 0 || delta.t > last) this.t.push(delta.t);
    const at = this.t.length - 1;
    for (const name of Object.keys(this.panels)) this.panels[name] = this.#grown(name, delta.panels[name] || {}, at);
    if (delta.bands) this.bands = delta.bands;
    this.now = delta.now;
    let gone = 0;
    while (this.t[gone] < delta.t - span) gone++;
    this.t.splice(0, gone);
    for (const panel of Object.values(this.panels)) for (const column of panel.columns || []) column.splice(0, gone);
  }

  #grown(name, news, at) {
    const panel = this.panels[name];
    const series = news.series || panel.series || [];
    const values = news.values || [];
    if (this.kinds[name] === "table") return { series, values: news.error ? panel.values || [] : values, error: news.error, hidden: news.hidden };
    const columns = news.series ? this.#matched(panel, series, at) : panel.columns || [];
    columns.forEach((column, index) => {
      while (column.length < at) column.push(null);  // what nobody said is a gap
      column[at] = values[index] ?? null;
    });
    return { series, columns, error: news.error, hidden: news.hidden };
  }

  /** The columns of a new list of series: those we had keep their past, new ones begin with a gap. */
  #matched(panel, series, length) {
    const key = (one) => JSON.stringify([one.query, one.name, one.labels]);
    const had = new Map((panel.series || []).map((one, index) => [key(one), panel.columns?.[index]]));
    return series.map((one) => had.get(key(one)) || new Array(length).fill(null));
  }
}
