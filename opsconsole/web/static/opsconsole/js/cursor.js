// The shared crosshair: one moment in time, shown by every panel of the page.
const watchers = new Set();

/** Call `show(unixSeconds | null, source)` whenever the moment changes; returns how to stop. */
export function watch(show) {
  watchers.add(show);
  return () => watchers.delete(show);
}

/** Point at a moment; `source` is the panel under the pointer, which has drawn itself already. */
export function point(at, source) {
  for (const show of watchers) show(at, source);
}
