// Dark and light: the system's, or the one chosen here.  A classic script in <head>, so that no page flashes.
(() => {
  const KEY = "opsconsole-theme";
  const system = matchMedia("(prefers-color-scheme: light)");
  const chosen = () => {
    try { return localStorage.getItem(KEY); } catch { return null; }  // storage may be forbidden
  };
  const apply = () => {
    document.documentElement.dataset.theme = chosen() || (system.matches ? "light" : "dark");
    document.dispatchEvent(new Event("ops-theme"));
  };
  system.addEventListener("change", apply);
  document.addEventListener("ops-toggle-theme", () => {
    const next = document.documentElement.dataset.theme === "light" ? "dark" : "light";
    try { localStorage.setItem(KEY, next); } catch { /* chosen for this page only */ }
    apply();
    if (chosen() !== next) document.documentElement.dataset.theme = next;
  });
  apply();
})();
