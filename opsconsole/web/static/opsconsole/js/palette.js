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

const MEANINGS = { "1xx": "d8", "2xx": "d1", "3xx": "d7", "4xx": "d3", "5xx": "crit", success: "d1", retry: "d3", failure: "crit", revoked: "d8" };

/** One token name a series: what its query says, else what its name means everywhere, else by order. */
export function seriesTokens(series, queries) {
  const many = new Map();
  for (const one of series) many.set(one.query, (many.get(one.query) || 0) + 1);
  const taken = new Set(queries.map((query) => query.colour).filter(Boolean));
  const free = ["d1", "d2", "d3", "d4", "d5", "d6", "d7", "d8"].filter((name) => !taken.has(name));
  let next = 0;
  return series.map((one) => {
    const said = queries[one.query]?.colour;
    if (said && many.get(one.query) === 1) return said;
    const meant = MEANINGS[one.name.toLowerCase().replace(/^([1-5])\d\d$/, "$1xx")];
    if (meant) return meant;
    return free.length ? free[next++ % free.length] : `d${(next++ % 8) + 1}`;
  });
}
