// <ops-board>: gives every panel inside it what the board's frame says, live or for a fixed range.
import { Frame } from "ops/frame";
import { live } from "ops/live";
import { current, isLive, resolve } from "ops/range";

class OpsBoard extends HTMLElement {
  #frame = null;
  #started = 0;  // since when a fixed range is being fetched: the newest wins
  #due = false;

  connectedCallback() {
    this.description = JSON.parse(document.getElementById(this.dataset.from).textContent);
    this.kinds = Object.fromEntries(this.description.panels.map((panel) => [panel.name, panel.kind]));
    this.stop = new AbortController();
    const { signal } = this.stop;
    live.addEventListener("snapshot", ({ detail }) => this.#take(detail), { signal });
    live.addEventListener("delta", ({ detail }) => this.#grow(detail), { signal });
    live.addEventListener("refused", ({ detail }) => this.#refuse(detail), { signal });
    document.addEventListener("ops-range", () => this.#begin(), { signal });
    this.#begin();
  }

  disconnectedCallback() { this.stop.abort(); }

  get #elements() { return this.querySelectorAll("[data-panel]"); }

  async #begin() {
    this.range = current();
    const { from, to } = this.range;
    const variables = Object.fromEntries(this.description.variables.flatMap((name) => (this.range[name] ? [[name, this.range[name]]] : [])));
    this.#frame = null;
    live.subscribe(this.description.board, { from, to, ...variables });
    if (isLive(this.range)) return;
    const started = ++this.#started;
    try {
      const answer = await fetch(`${this.dataset.frame}?${new URLSearchParams({ from, to, ...variables })}`, { headers: { Accept: "application/json" }, signal: this.stop.signal });
      const frame = await answer.json();
      if (started !== this.#started || isLive(this.range)) return;
      if (answer.ok) this.#take(frame);
      else this.#refuse(frame.error);
    } catch (problem) {
      if (problem.name !== "AbortError") this.#refuse("The console does not answer. Try again when it is back.");
    }
  }

  #take(snapshot) {
    if (snapshot.board !== this.description.board) return;
    this.#frame = new Frame(snapshot, this.kinds);
    this.#show();
  }

  #grow(delta) {
    if (!this.#frame) return;
    this.#frame.append(delta, resolve(this.range.to, delta.t) - resolve(this.range.from, delta.t));
    this.#show();
  }

  /** One paint for however many frames came since the last. */
  #show() {
    if (this.#due) return;
    this.#due = true;
    requestAnimationFrame(() => {
      this.#due = false;
      const frame = this.#frame;
      if (!frame) return;
      const end = isLive(this.range) ? frame.t[frame.t.length - 1] ?? frame.now : resolve(this.range.to, frame.now);
      const from = isLive(this.range) ? end - (resolve("now", 0) - resolve(this.range.from, 0)) : resolve(this.range.from, frame.now);
      for (const element of this.#elements) {
        const description = this.description.panels.find((panel) => panel.name === element.dataset.panel);
        const { name } = description;
        element.show({ description, panel: frame.panels[name], t: frame.t, step: frame.step, from, to: end, bands: frame.bands[name] || [] });
      }
    });
  }

  #refuse(message) {
    for (const element of this.#elements) element.note("error", "Nothing to show", message);
  }
}

customElements.define("ops-board", OpsBoard);
