// Buttons with data-copy put a text on the clipboard: their own, or that of the element they name.
document.addEventListener("click", async (event) => {
  const button = event.target.closest?.("[data-copy]");
  if (!button) return;
  const wanted = button.dataset.copy || button.closest("section").querySelector("pre").textContent;
  const said = button.textContent;
  try {
    await navigator.clipboard.writeText(wanted);
    button.textContent = "Copied";
  } catch {
    button.textContent = "Not allowed here";  // the clipboard needs https or localhost
  }
  setTimeout(() => { button.textContent = said; }, 1500);
});

// Rows that lead somewhere: the whole row follows its own link.
document.addEventListener("click", (event) => {
  const row = event.target.closest?.("tr.to");
  if (!row || event.target.closest("a, button") || getSelection().toString()) return;
  const link = row.querySelector("a[href]");
  if (event.metaKey || event.ctrlKey) open(link.href);
  else link.click();
});
