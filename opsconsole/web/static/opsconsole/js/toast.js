// Short messages at the edge: an alert that fired or resolved, or what a form did.
import { live } from "ops/live";
import { make } from "ops/panel";

const STAYS_MS = 10000;
const MOST = 4;
const region = document.getElementById("toasts");

/** Show {severity, title, text, url}; a critical one stays until it is closed. */
export function toast({ state = "", severity = "info", title, text = "", url = "" }) {
  const shape = state === "resolved" ? "ok" : severity;
  const name = make("b", {}, url ? make("a", { href: url, textContent: title }) : title);
  const close = make("button", { type: "button", ariaLabel: "Close", textContent: "×" });
  const word = { firing: "Firing", resolved: "Resolved" }[state];
  const box = make("div", { className: "toast" }, make("i", { className: `shape ${shape}` }), name, close, make("p", { textContent: [word, text].filter(Boolean).join(" · ") }));
  region.append(box);
  while (region.children.length > MOST) region.firstChild.remove();
  settle(box, close, shape === "critical");
}

function settle(box, close, stays) {
  close.addEventListener("click", () => box.remove());
  if (!stays) setTimeout(() => box.remove(), STAYS_MS);
}

for (const box of region.children) settle(box, box.querySelector("button"), false);

live.addEventListener("alerts", ({ detail }) => {
  for (const count of document.querySelectorAll("[data-firing]")) {
    count.textContent = detail.firing;
    count.hidden = !detail.firing;
  }
  document.title = document.title.replace(/^(\(\d+\) )?/, detail.firing ? `(${detail.firing}) ` : "");
  if (detail.changed) document.body.dispatchEvent(new Event("ops-alerts"));  // lists refetch themselves with htmx
  if (detail.toast) toast(detail.toast);
});
