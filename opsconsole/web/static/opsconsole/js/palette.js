// The tokens of tokens.css as colours a canvas can use, read again when the theme changes.
let cache = new Map();
document.addEventListener("ops-theme", () => { cache = new Map(); });

/** The value of a token: `token("d1")` -> "#5b9dff". */
export function token(name) {
  if (!cache.has(name)) cache.set(name, getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim());
  return cache.get(name);
}

/** The token with an opacity of 0..1; tokens used here are #rrggbb. */
export const faded = (name, opacity) => token(name).slice(0, 7) + Math.round(opacity * 255).toString(16).padStart(2, "0");

/** One token name a series: what its query says, else by meaning for HTTP classes, else by order. */
export function seriesTokens(series, queries) {
  const many = new Map();
  for (const one of series) many.set(one.query, (many.get(one.query) || 0) + 1);
  const taken = new Set(queries.map((query) => query.colour).filter(Boolean));
  const free = ["d1", "d2", "d3", "d4", "d5", "d6", "d7", "d8"].filter((name) => !taken.has(name));
  let next = 0;
  return series.map((one) => {
    const said = queries[one.query]?.colour;
    if (said && many.get(one.query) === 1) return said;
    const status = /^([1-5])(?:xx|\d\d)$/.exec(one.name);
    if (status) return { 1: "d8", 2: "d1", 3: "d2", 4: "d3", 5: "crit" }[status[1]];
    return free.length ? free[next++ % free.length] : `d${(next++ % 8) + 1}`;
  });
}
