// Keys: they never act while somebody types.
import { togglePause } from "ops/status";

const LEADER_MS = 1200;
const dialog = document.getElementById("keys");
let leader = -Infinity;  // when g was pressed

const typing = (target) => target.closest?.("input, textarea, select, [contenteditable]") || document.querySelector("dialog[open]");

function act(event) {
  const { key } = event;
  const led = performance.now() - leader < LEADER_MS;
  leader = -Infinity;
  const link = led && document.querySelector(`a[data-key="${CSS.escape(key)}"]`);
  if (link) link.click();
  else if (key === "g") leader = performance.now();
  else if (key === "?") dialog.showModal();
  else if (key === "t") document.dispatchEvent(new Event("ops-toggle-theme"));
  else if (key === " " && !event.target.closest?.("button, summary, a, [tabindex]") && document.querySelector("[data-pause]")) togglePause();
  else return;
  event.preventDefault();
}

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") {
    for (const open of document.querySelectorAll("details.menu[open]")) {
      open.open = false;
      open.querySelector("summary").focus();
    }
  }
  if (!event.metaKey && !event.ctrlKey && !event.altKey && !typing(event.target)) act(event);
});

document.addEventListener("click", (event) => {
  const asked = event.target.closest?.("[data-open-keys], [data-toggle-theme]");
  if (!asked) return;
  if ("openKeys" in asked.dataset) dialog.showModal();
  else document.dispatchEvent(new Event("ops-toggle-theme"));
  asked.closest("details")?.removeAttribute("open");
});
