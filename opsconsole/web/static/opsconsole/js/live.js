// The one WebSocket of a page: subscribes to a board, keeps count of its frames, comes back by itself.
import { isLive } from "ops/range";

const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 15000;
const HIDDEN_AFTER_MS = 30000;
const SIGNED_OUT = 4401;  // close code of live.consumer

/** Events: "snapshot" and "delta" (detail = frame), "alerts", "refused" (detail = sentence), "state". */
class Live extends EventTarget {
  state = "connecting";  // connecting, live, reconnecting, paused, fixed
  frameAt = 0;  // performance.now() of the newest frame
  step = 0;
  #socket = null;
  #wanted = null;  // the subscription of the board on this page
  #seq = null;  // of the newest frame; null until a snapshot
  #failures = 0;
  #paused = false;
  #hidden = false;

  constructor() {
    super();
    let timer;
    document.addEventListener("visibilitychange", () => {
      clearTimeout(timer);
      if (document.hidden) timer = setTimeout(() => this.#rest(true), HIDDEN_AFTER_MS);
      else this.#rest(false);
    });
    this.#connect();
  }

  get paused() { return this.#paused; }

  /** Watch `board` over `range`; variables are the other entries of `range`.  A fixed range has nothing to watch. */
  subscribe(board, { from, to, ...variables }) {
    this.#wanted = isLive({ from, to }) ? { type: "subscribe", board, from, to, variables } : null;
    this.#seq = null;
    this.#ask();
  }

  pause() { this.#paused = true; this.#ask(); }

  resume() { this.#paused = false; this.#ask(); }

  #rest(hidden) {
    if (hidden === this.#hidden) return;
    this.#hidden = hidden;
    this.#ask();
  }

  #ask() {
    const watching = this.#wanted && !this.#paused && !this.#hidden;
    if (!watching) this.#seq = null;
    this.#send(watching ? this.#wanted : { type: "unsubscribe" });
    this.#set(this.#paused ? "paused" : !this.#wanted ? "fixed" : this.#socket?.readyState === 1 ? "connecting" : "reconnecting");
  }

  #send(message) {
    if (this.#socket?.readyState === 1) this.#socket.send(JSON.stringify(message));
  }

  #connect() {
    const socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/ws/live`);
    this.#socket = socket;
    socket.onopen = () => { this.#seq = null; this.#ask(); };
    socket.onmessage = (event) => { this.#failures = 0; this.#receive(JSON.parse(event.data)); };
    socket.onclose = ({ code }) => {
      if (code === SIGNED_OUT && this.frameAt) { location.reload(); return; }  // the session ended while we looked
      if (!this.#paused && this.#wanted) this.#set("reconnecting");
      const wait = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** this.#failures++);
      setTimeout(() => this.#connect(), wait * (0.5 + Math.random() / 2));  // jitter: a restart must not be met by all at once
    };
  }

  #receive(frame) {
    if (frame.type === "alerts") this.#emit("alerts", frame);
    else if (frame.type === "error") this.#emit("refused", frame.message);
    else if (this.#paused || !this.#wanted) return;
    else if (frame.type === "snapshot") {
      this.step = frame.step;
      this.#accept(frame);
    } else if (frame.type === "delta" && this.#seq !== null) {
      if (frame.seq <= this.#seq) return;
      if (frame.seq === this.#seq + 1) this.#accept(frame);
      else {
        this.#seq = null;  // frames were lost: what we hold is not the truth any more
        this.#send({ type: "resync" });
      }
    }
  }

  #accept(frame) {
    this.#seq = frame.seq;
    this.frameAt = performance.now();
    this.#set("live");
    this.#emit(frame.type, frame);
  }

  #set(state) {
    this.state = state;
    this.#emit("state", state);
  }

  #emit(type, detail) { this.dispatchEvent(new CustomEvent(type, { detail })); }
}

export const live = new Live();
