// The one connection of a page. Topics are subscribed with a position; whatever happens to the network, each follower gets
// every event once, in order, and every delta of a turn once, in order. What a gap hides is asked for again.

const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 30_000;
const ASK_AGAIN_MS = 400;
const HEARTBEAT_MS = 15_000;
const PATIENCE_MS = 4_000; // with an answer to a ping
const OPENING_MS = 10_000;

const LOST = 1006;
const SERVER_RESTARTS = 1012;
const SERVER_BUSY = 1013;
const SIGNED_OUT = 4401;
const REFUSED = new Set([4403, 4404]);

export class LiveSocket extends EventTarget {
  #url;
  #socket = null;
  #followers = new Map(); // topic → {handlers, asked: when we last asked again}
  #attempt = 0;
  #timer = null;
  #heartbeat = null;
  #deadline = null;
  #presence = "here";
  state = "idle"; // idle | connecting | open | waiting | offline | signed-out | refused
  retryAt = null;

  constructor(url) {
    super();
    this.#url = new URL(url, location.href.replace(/^http/, "ws"));
    addEventListener("online", () => this.check());
    addEventListener("focus", () => this.check());
    addEventListener("signed-in", () => this.#signedIn());
    addEventListener("offline", () => this.#drop("offline"));
    addEventListener("pagehide", () => this.#socket?.close(1000));
    addEventListener("pageshow", (event) => event.persisted && this.#retryNow());
    document.addEventListener("visibilitychange", () => this.#onVisibility());
  }

  /**
   * Follow a topic. `handlers`: `position()` → {after, turns} of what is known now; `onFrame(frame)` → "gap" when something
   * before this frame is missing.
   */
  subscribe(topic, handlers) {
    this.#followers.set(topic, { ...handlers, askedAt: -Infinity, isBehind: false, timer: null });
    if (this.state === "open") this.#ask(topic);
    else if (this.state === "idle") this.#connect();
  }

  unsubscribe(topic) {
    const follower = this.#followers.get(topic);
    if (!follower) return;
    clearTimeout(follower.timer);
    this.#followers.delete(topic);
    this.#send({ type: "unsubscribe", topic });
  }

  typing(topic, on) {
    this.#send({ type: "typing", topic, on });
  }

  retry() {
    this.#attempt = 0;
    this.#retryNow();
  }

  /** Is anybody there? A laptop that slept, or changed its network, holds a socket that looks open and is dead. */
  check() {
    if (this.state !== "open") return this.#retryNow();
    this.#send({ type: "ping" });
    return this.#expect(PATIENCE_MS);
  }

  #connect() {
    clearTimeout(this.#timer);
    if (this.#socket || this.state === "signed-out" || this.state === "refused") return;
    if (navigator.onLine === false) return this.#become("offline");
    this.#become("connecting");
    const socket = new WebSocket(this.#url);
    this.#socket = socket;
    this.#expect(OPENING_MS);
    socket.addEventListener("open", () => socket === this.#socket && this.#onOpen());
    socket.addEventListener("message", (event) => socket === this.#socket && this.#onMessage(event));
    socket.addEventListener("close", (event) => socket === this.#socket && this.#onClose(event.code));
  }

  #signedIn() {
    if (this.state !== "signed-out") return;
    this.#become("waiting");
    this.retry();
  }

  /** Something must be heard by then. */
  #expect(milliseconds) {
    this.#deadline ??= setTimeout(() => {
      this.#drop("connecting");
      this.#wait(LOST); // even from one that was open: a server that stalled has all its pages come back
    }, milliseconds);
  }

  #heard() {
    clearTimeout(this.#deadline);
    this.#deadline = null;
  }

  #onOpen() {
    this.#heard();
    this.#become("open");
    for (const topic of this.#followers.keys()) this.#ask(topic);
    this.#sendPresence();
    clearInterval(this.#heartbeat);
    this.#heartbeat = setInterval(() => this.#beat(), HEARTBEAT_MS);
  }

  #onMessage(event) {
    this.#attempt = 0; // only a server that talks counts as back: one that accepts and closes must not be hammered
    this.#heard();
    const frame = JSON.parse(event.data);
    if (frame.type === "error" && !frame.topic) return this.dispatchEvent(new CustomEvent("error", { detail: frame }));
    const follower = this.#followers.get(frame.topic);
    if (!follower) return null;
    follower.isBehind = follower.onFrame(frame) === "gap";
    return follower.isBehind ? this.#askAgain(frame.topic, follower) : null;
  }

  /** Every frame behind a gap is a gap again: one question is enough for all of them. */
  #askAgain(topic, follower) {
    const wait = follower.askedAt + ASK_AGAIN_MS - performance.now();
    if (wait <= 0) return this.#ask(topic);
    follower.timer ??= setTimeout(() => {
      follower.timer = null;
      if (follower.isBehind) this.#ask(topic);
    }, wait);
    return null;
  }

  #ask(topic) {
    const follower = this.#followers.get(topic);
    if (!follower) return;
    clearTimeout(follower.timer);
    follower.timer = null;
    follower.askedAt = performance.now();
    this.#send({ type: "subscribe", topic, ...follower.position() });
  }

  #onClose(code) {
    this.#socket = null;
    this.#heard();
    clearInterval(this.#heartbeat);
    if (code === SIGNED_OUT) return this.#become("signed-out");
    if (REFUSED.has(code)) return this.#become("refused");
    if (navigator.onLine === false) return this.#become("offline");
    this.#wait(code);
  }

  /** Full jitter: a thousand pages that lost the same server must not come back in the same moment. */
  #wait(code) {
    const ceiling = Math.min(FIRST_WAIT_MS * 2 ** this.#attempt, LONGEST_WAIT_MS);
    const least = code === SERVER_BUSY || code >= 4000 ? 5000 : 100;
    const most = code === SERVER_RESTARTS && this.#attempt === 0 ? 2000 : ceiling;
    const wait = least + Math.random() * most;
    this.#attempt += 1;
    this.retryAt = Date.now() + wait;
    this.#timer = setTimeout(() => this.#connect(), wait);
    this.#become("waiting");
  }

  #retryNow() {
    if (this.#socket || this.state === "idle") return;
    this.#connect();
  }

  #drop(state) {
    const socket = this.#socket;
    this.#socket = null;
    this.#heard();
    clearInterval(this.#heartbeat);
    clearTimeout(this.#timer);
    socket?.close(1000);
    if (this.state !== "signed-out" && this.state !== "refused") this.#become(state);
  }

  #onVisibility() {
    this.#presence = document.visibilityState === "visible" ? "here" : "away";
    if (this.#presence === "here") this.#beat();
    else this.#sendPresence();
  }

  #beat() {
    this.#sendPresence();
    this.check();
  }

  #sendPresence() {
    this.#send({ type: "presence", state: this.#presence });
  }

  #send(frame) {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(frame));
  }

  #become(state) {
    if (state !== "waiting") this.retryAt = null;
    if (state === this.state && state !== "waiting") return;
    this.state = state;
    this.dispatchEvent(new CustomEvent("state", { detail: { state, retryAt: this.retryAt } }));
  }
}

let shared = null;

/** The page's connection, made on first use. */
export function liveSocket() {
  shared ??= new LiveSocket(document.body.dataset.socketUrl ?? "/ws/");
  return shared;
}
