// Messages on their way. Each is written down before it is sent and struck out when the server has it; it names itself with
// a `client_id`, so sending it twice (a lost answer, two tabs, a reload) makes one message. Order within a conversation is kept;
// one that cannot take messages for the moment holds up no other. When the server says when it will, that is written down as
// well: no other page, and no reload, asks before.

import { Problem, Unreachable, post } from "core/http";
import { read, watch, write } from "core/storage";
import { liveSocket } from "live/socket";

const NAME = "outbox";
const FIRST_WAIT_MS = 1000;
const LONGEST_WAIT_MS = 30_000;
const LONG_S = 30; // a quota, not a busy moment: worth saying until when
const LONGEST_TIMER_MS = 2 ** 31 - 1; // browsers take longer ones for none

class Outbox extends EventTarget {
  #isSending = false;
  #again = false;
  #timer = null;
  #wait = FIRST_WAIT_MS;
  #resting = new Map(); // conversation → {until, wait}

  constructor() {
    super();
    for (const name of ["online", "signed-in"]) addEventListener(name, () => this.#sendNow());
    liveSocket().addEventListener("state", ({ detail }) => detail.state === "open" && this.#sendNow());
    watch(NAME, () => this.dispatchEvent(new Event("change")));
  }

  /**
   * All that waits, oldest first: {url, conversation, body: {client_id, content, …}, files, references, writtenAt, refusal?, later?: {until, why}}.
   * Words of a conversation that is not there yet have {begin: {url, body, key}} in place of `url`, and the key as `conversation`.
   */
  items(conversation = null) {
    return read(NAME, []).filter((item) => conversation === null || item.conversation === conversation);
  }

  find(clientId) {
    return this.items().find((item) => item.body.client_id === clientId);
  }

  add(item) {
    write(NAME, [...this.items(), { ...item, writtenAt: Date.now() }]);
    return this.send();
  }

  discard(clientId) {
    write(NAME, this.items().filter((item) => item.body.client_id !== clientId));
    this.dispatchEvent(new Event("change"));
  }

  /** Try a refused one again, or before the time that the server named. */
  retry(clientId) {
    const { conversation } = this.find(clientId) ?? {};
    this.#change(clientId, { refusal: undefined, later: undefined });
    this.#resting.delete(conversation);
    return this.#sendNow();
  }

  async send() {
    this.#again = true;
    if (this.#isSending) return;
    this.#isSending = true;
    clearTimeout(this.#timer);
    try {
      while (this.#again) {
        this.#again = false;
        await locked(() => this.#sendAll());
      }
    } finally {
      this.#isSending = false;
    }
  }

  #sendNow() {
    for (const rest of this.#resting.values()) rest.until = 0;
    return this.send();
  }

  /** The first of each conversation: those behind one that waits for its time wait, too. */
  #heads() {
    const heads = new Map();
    for (const item of this.items()) if (!item.refusal && !heads.has(item.conversation)) heads.set(item.conversation, item);
    return [...heads.values()];
  }

  /** When it may go at the earliest. */
  #time({ conversation, later }) {
    return Math.max(this.#resting.get(conversation)?.until ?? 0, later?.until ?? 0);
  }

  #next() {
    return this.#heads().find((item) => this.#time(item) <= Date.now());
  }

  async #sendAll() {
    let item;
    while ((item = this.#next())) {
      const clientId = item.body.client_id;
      try {
        if (item.begin) item = await this.#begun(item);
        const answer = await post(item.url, item.body);
        this.#wait = FIRST_WAIT_MS;
        this.#resting.delete(item.conversation);
        this.#strike(clientId);
        this.#tell("sent", { item, answer });
        window.dispatchEvent(new CustomEvent("outbox:sent"));
      } catch (error) {
        if (error instanceof Unreachable || (error instanceof Problem && error.status === 401)) { // none would get through
          this.#tell("unsent", { item, error });
          this.#sendIn(jittered(this.#wait));
          this.#wait = longer(this.#wait);
          return;
        }
        if (error instanceof Problem && error.isPassing) {
          this.#rest(item.conversation, error);
          const later = error.retryAfter >= LONG_S ? { until: Date.now() + error.retryAfter * 1000, why: error.message } : undefined;
          this.#change(clientId, { later });
          this.#tell("unsent", { item: { ...item, later }, error });
          continue;
        }
        this.#refuse(clientId, error);
        this.#tell("refused", { item, error });
      }
    }
    const times = this.#heads().map((item) => this.#time(item));
    if (times.length) this.#sendIn(Math.min(Math.max(0, Math.min(...times) - Date.now()), LONGEST_TIMER_MS));
  }

  /** Once, however often it is tried: the key names the request. */
  async #begun({ begin, ...item }) {
    const { id } = await post(begin.url, begin.body, { headers: { "idempotency-key": begin.key } });
    const there = { conversation: id, url: `${begin.url}${id}/messages/` };
    this.#change(item.body.client_id, { ...there, begin: undefined });
    this.#tell("begun", { item: { ...item, ...there } });
    return { ...item, ...there };
  }

  #rest(conversation, { retryAfter }) {
    const wait = this.#resting.get(conversation)?.wait ?? FIRST_WAIT_MS;
    this.#resting.set(conversation, { until: Date.now() + (retryAfter ? retryAfter * 1000 : jittered(wait)), wait: longer(wait) });
  }

  #sendIn(milliseconds) {
    this.#timer = setTimeout(() => this.send(), milliseconds);
  }

  #strike(clientId) {
    write(NAME, this.items().filter((item) => item.body.client_id !== clientId));
  }

  #refuse(clientId, error) {
    this.#change(clientId, { refusal: error.message });
  }

  #change(clientId, values) {
    write(NAME, this.items().map((item) => (item.body.client_id === clientId ? { ...item, ...values } : item)));
  }

  #tell(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }
}

const jittered = (milliseconds) => milliseconds * (0.5 + Math.random());
const longer = (milliseconds) => Math.min(milliseconds * 2, LONGEST_WAIT_MS);

/** One tab at a time: `client_id` would keep two from doing harm, but not from spending two requests. */
const locked = (action) => (navigator.locks ? navigator.locks.request(`parlance:${document.body.dataset.viewerId}:outbox`, action) : action());

/** Time-ordered like the server's own ids (UUID version 7). */
export function newClientId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  let time = Date.now();
  for (let at = 5; at >= 0; at -= 1, time = Math.floor(time / 256)) bytes[at] = time % 256;
  bytes[6] = (bytes[6] & 0x0f) | 0x70;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}

let shared = null;

export function outbox() {
  shared ??= new Outbox();
  return shared;
}
