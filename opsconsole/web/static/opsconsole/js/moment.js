// <ops-time at="unix seconds" as="clock|ago|for">: the reader's own time zone; UTC in the title.
import { clock, long } from "ops/format";

const shown = new Set();

class OpsTime extends HTMLElement {
  connectedCallback() {
    shown.add(this);
    const at = new Date(Number(this.getAttribute("at")) * 1000);
    this.title = `${at.toISOString().slice(0, 19).replace("T", " ")} UTC`;
    this.say();
  }

  disconnectedCallback() { shown.delete(this); }

  say() {
    const at = Number(this.getAttribute("at"));
    const age = Date.now() / 1000 - at;
    const how = this.getAttribute("as");
    const said = how === "ago" ? `${long(age)} ago` : how === "for" ? long(age) : clock(at, how !== "minute");
    if (this.textContent !== said) this.textContent = said;
  }
}

customElements.define("ops-time", OpsTime);
setInterval(() => { for (const one of shown) if (one.getAttribute("as") !== "clock") one.say(); }, 1000);
