// Dark and light: the system's, or the one chosen here.  A classic script in <head>, so that no page flashes.
(() => {
  const KEY = "opsconsole-theme";
  const system = matchMedia("(prefers-color-scheme: light)");
  const chosen = () => {
    try { return localStorage.getItem(KEY); } catch { return null; }  // storage may be forbidden
  };
  const wear = (theme) => {
    document.documentElement.dataset.theme = theme;
    document.dispatchEvent(new Event("ops-theme"));
  };
  const follow = () => wear(chosen() || (system.matches ? "light" : "dark"));
  system.addEventListener("change", follow);
  document.addEventListener("ops-toggle-theme", () => {
    const next = document.documentElement.dataset.theme === "light" ? "dark" : "light";
    try { localStorage.setItem(KEY, next); } catch { /* chosen for this page only */ }
    wear(next);
  });
  follow();
})();
