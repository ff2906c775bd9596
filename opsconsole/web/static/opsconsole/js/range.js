// The time range and the variables: they live in the URL, so that a link shows what its sender saw.
const NAMES = { m: "minute", h: "hour", d: "day", s: "second", w: "week" };
const SIZES = { s: 1, m: 60, h: 3600, d: 86400, w: 604800 };
const TIME = /^(now(-(\d+[smhdw])+)?|\d+(\.\d+)?)$/;

/** {from, to, ...variables} of the address, with the defaults filled in. */
export function current() {
  const said = Object.fromEntries(new URLSearchParams(location.search));
  return { ...said, from: said.from || "now-15m", to: said.to || "now" };
}

/** Seconds between `now` and what `text` means; NaN for a fixed time. */
const back = (text) => (text === "now" ? 0 : [...text.matchAll(/(\d+)([smhdw])/g)].reduce((sum, [, n, unit]) => sum + n * SIZES[unit], 0));

/** Unix seconds of `text`, seen at `now`. */
export const resolve = (text, now) => (text.startsWith("now") ? now - back(text) : Number(text));

export const isLive = (range) => range.to === "now" && range.from.startsWith("now");

/** "Last 15 minutes", or the two times. */
export function describe({ from, to }, clock) {
  const match = /^now-(\d+)([smhdw])$/.exec(from);
  if (match && to === "now") return `Last ${match[1] === "1" ? "" : `${match[1]} `}${NAMES[match[2]]}${match[1] === "1" ? "" : "s"}`;
  return [from, to].map((text) => (Number.isNaN(Number(text)) ? text : clock(Number(text), false))).join(" – ");
}

/** What a person typed, as the URL writes it.  Throws an Error with a sentence. */
export function parse(typed) {
  const trimmed = typed.trim();
  if (TIME.test(trimmed)) return trimmed;
  const millis = Date.parse(trimmed.replace(" ", "T"));
  if (Number.isNaN(millis)) throw new Error("Write now, now-6h, or a date like 2026-11-23 14:00");
  return String(Math.round(millis / 1000));
}

/** Change the range or a variable: the page follows without a reload when it has a board. */
export function go(change) {
  const wanted = new URLSearchParams(location.search);
  for (const [name, value] of Object.entries(change)) {
    if (value === "") wanted.delete(name);
    else wanted.set(name, value);
  }
  const address = `${location.pathname}?${wanted}`;
  if (!document.querySelector("ops-board")) { location.assign(address); return; }
  history.pushState(null, "", address);
  document.dispatchEvent(new Event("ops-range"));
}

addEventListener("popstate", () => document.dispatchEvent(new Event("ops-range")));
