// Values and times as people read them.  Units are those of signals.model.Unit.
const RATES = { "req/s": "req/s", "task/s": "tasks/s", "query/s": "queries/s", "exc/s": "exceptions/s" };
const grouped = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });

/** Three significant digits, steady in width: 412, 38.2, 8.21, 1,204, 12.3 k. */
export function number(value) {
  const size = Math.abs(value);
  if (size === 0) return "0";
  if (size >= 1e6) return `${(value / 1e6).toFixed(1)} M`;
  if (size >= 1e4) return `${(value / 1e3).toFixed(1)} k`;
  if (size >= 99.95) return grouped.format(value);
  if (size >= 9.995) return value.toFixed(1);
  return size < 0.005 ? "<0.01" : value.toFixed(2);
}

/** [number, unit] of a value for display; "–" when there is none. */
export function split(value, unit) {
  if (value === null || value === undefined || Number.isNaN(value)) return ["–", ""];
  if (unit === "s") return seconds(value);
  if (unit === "ratio") return [number(value * 100), "%"];
  if (unit === "count") return [Number.isInteger(value) ? (Math.abs(value) >= 1e4 ? number(value) : grouped.format(value)) : number(value), ""];
  return [number(value), RATES[unit] ?? unit];
}

/** "1.42 s", "0.63 %", "412 req/s". */
export const text = (value, unit) => split(value, unit).filter(Boolean).join(" ");

/** As `text`, without the unit of a rate: for places whose heading says it. */
export const brief = (value, unit) => (unit in RATES ? split(value, unit)[0] : text(value, unit));

/** The word for a unit under a number. */
export const word = (unit) => RATES[unit] ?? "";

function seconds(value) {
  const size = Math.abs(value);
  if (size === 0) return ["0", "s"];
  if (size < 0.001) return [`${Math.round(value * 1e6)}`, "µs"];
  if (size < 0.9995) return [value < 0.00995 ? (value * 1e3).toFixed(1) : `${Math.round(value * 1e3)}`, "ms"];
  if (size < 99.5) return [value.toFixed(size < 9.995 ? 2 : 1), "s"];
  if (size < 7200) return [`${Math.floor(value / 60)} m ${String(Math.floor(value % 60)).padStart(2, "0")}`, "s"];
  return [(value / 3600).toFixed(1), "h"];
}

/** Labels of an axis, all in one unit that suits its largest split. */
export function axisLabels(splits, unit) {
  const top = Math.max(...splits.map(Math.abs), 0);
  const [scale, suffix] = unit === "s" ? (top < 0.001 ? [1e6, " µs"] : top < 1 ? [1e3, " ms"] : top < 600 ? [1, " s"] : [1 / 60, " m"])
    : unit === "ratio" ? [100, " %"] : top >= 1e4 ? [1e-3, " k"] : [1, ""];
  return splits.map((value) => `${+(value * scale).toPrecision(4)}${suffix}`);
}

const two = (n) => String(n).padStart(2, "0");

/** 14:02:05 or, without seconds, 14:02; with the day when it is not today. */
export function clock(unixSeconds, withSeconds = true) {
  const at = new Date(unixSeconds * 1000);
  const time = `${two(at.getHours())}:${two(at.getMinutes())}${withSeconds ? `:${two(at.getSeconds())}` : ""}`;
  return at.toDateString() === new Date().toDateString() ? time : `${at.getDate()} ${at.toLocaleString("en", { month: "short" })} ${time}`;
}

/** A label of a time axis whose ticks are `apart` seconds apart: seconds only when that near, the day at midnight. */
export function tick(unixSeconds, apart) {
  const at = new Date(unixSeconds * 1000);
  if (at.getHours() + at.getMinutes() === 0 && apart >= 3600) return `${at.getDate()} ${at.toLocaleString("en", { month: "short" })}`;
  return `${two(at.getHours())}:${two(at.getMinutes())}${apart < 60 ? `:${two(at.getSeconds())}` : ""}`;
}

/** "8 s", "6 min", "3 h", "2 d": how long, in one unit. */
export function long(duration) {
  const size = Math.max(0, Math.round(duration));
  if (size < 90) return `${size} s`;
  if (size < 5400) return `${Math.round(size / 60)} min`;
  return size < 129600 ? `${Math.round(size / 3600)} h` : `${Math.round(size / 86400)} d`;
}
