// The badge that says how fresh the page is, and the button that holds it still.
import { live } from "ops/live";
import { go } from "ops/range";

const STALE_STEPS = 4;
const STALE_LEAST_S = 8;

const badge = document.querySelector("[data-live]");
const button = document.querySelector("[data-pause]");

function say() {
  const age = Math.round((performance.now() - live.frameAt) / 1000);
  const stale = live.state === "live" && age > Math.max(STALE_LEAST_S, live.step * STALE_STEPS);
  const words = {
    connecting: "Connecting…", reconnecting: "Reconnecting…", paused: "Paused", fixed: "Fixed range",
    live: stale ? `No frame for ${age} s` : `Live · ${age} s ago`,
  };
  badge.dataset.state = stale ? "stale" : live.state;
  if (badge.lastChild.textContent !== words[live.state]) badge.lastChild.textContent = words[live.state];
}

function buttonSays() {
  button.firstChild.textContent = live.state === "fixed" ? "Back to live " : live.paused ? "Resume " : "Pause ";
  button.setAttribute("aria-pressed", String(live.paused));
}

/** Hold the page still, or let it go on; from a fixed range, back to the last 15 minutes. */
export function togglePause() {
  if (!badge) return;
  if (live.state === "fixed") go({ from: "now-15m", to: "now" });
  else if (live.paused) live.resume();
  else live.pause();
}

if (badge) {
  live.addEventListener("state", () => { say(); buttonSays(); });
  button.addEventListener("click", togglePause);
  setInterval(say, 1000);
}
