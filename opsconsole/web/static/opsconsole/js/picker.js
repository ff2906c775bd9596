// The header's menus: they work as links and forms; with a script they change the page without a reload.
import { clock } from "ops/format";
import { current, describe, go, parse } from "ops/range";

const menu = document.querySelector("[data-range]");

function refresh() {
  const range = current();
  if (menu) {
    menu.querySelector("summary b").textContent = describe(range, clock);
    menu.querySelector("summary span").textContent = range.to === "now" && range.from.startsWith("now") ? "to now" : "";
    for (const link of menu.querySelectorAll("a[data-from]")) link.setAttribute("aria-current", String(link.dataset.from === range.from && range.to === "now"));
    menu.querySelector("[name=from]").value = range.from;
    menu.querySelector("[name=to]").value = range.to;
  }
  for (const link of document.querySelectorAll("a[data-variable]")) {
    const on = (range[link.dataset.variable] ?? "") === link.dataset.value;
    link.setAttribute("aria-current", String(on));
    if (on) link.closest(".menu").querySelector("summary b").textContent = link.dataset.value || "all";
  }
  for (const link of document.querySelectorAll("a[data-keep-range]")) {  // the other pages open at the same range
    const kept = new URLSearchParams(Object.entries(range).filter(([name]) => ["from", "to", "job"].includes(name)));
    link.search = location.search ? `?${kept}` : "";
  }
}

document.addEventListener("click", (event) => {
  for (const open of document.querySelectorAll("details.menu[open]")) if (!open.contains(event.target)) open.open = false;
  const link = event.target.closest?.("a[data-from], a[data-variable]");
  if (!link || event.metaKey || event.ctrlKey || event.shiftKey) return;
  event.preventDefault();
  link.closest("details").open = false;
  go(link.dataset.from ? { from: link.dataset.from, to: "now" } : { [link.dataset.variable]: link.dataset.value });
});

menu?.querySelector("form").addEventListener("submit", (event) => {
  event.preventDefault();
  const problem = menu.querySelector("[data-error]");
  try {
    const range = { from: parse(event.target.elements.from.value), to: parse(event.target.elements.to.value) };
    problem.textContent = "";
    menu.open = false;
    go(range);
  } catch (error) {
    problem.textContent = error.message;
  }
});

document.addEventListener("ops-range", refresh);
refresh();
