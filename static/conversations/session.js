// One open conversation: frames go into the store, and what they changed onto the page.

import { Answers } from "conversations/answers";
import { countWords } from "conversations/announcer";
import { outbox } from "conversations/outbox";
import {
  APPLIED, GAP, applyDelta, applyEvent, applySnapshot, applyStatus, createState, isFinal, positionsOf, runningTurnOf, runningTurns,
  spokenParts, textOf,
} from "conversations/store";
import { clone, debounce, fill, slot } from "core/dom";
import { post } from "core/http";
import { render } from "core/markup";
import { read, write } from "core/storage";
import { clock, dayClock, t } from "core/words";
import { liveSocket } from "live/socket";

const RELOAD_MS = 150;
const READ_MS = 1500;
const OPEN = ["queued", "thinking", "streaming", "waiting"];

export class Session {
  state = createState();
  #hasOtherGoneOn = false;
  #reload = debounce(() => this.#reloadAfterEvents().catch(() => null), RELOAD_MS);
  #tellRead = debounce(() => this.#read(), READ_MS);
  #readUntil = 0;
  #outboxEvents = new AbortController();

  /** `parts`: {thread, follow, people, announcer}; `urls`: {api, turns}; `tell`: {changed(), conversation(data), error(frame)}. */
  constructor({ id, topic, position, parts, urls, tell, answerer }) {
    Object.assign(this, { id, topic, urls, tell, answerer, ...parts });
    this.state.position = position;
    this.answers = new Answers({ spokenParts: (message) => spokenParts(this.state, message), onGrown: () => this.follow.grown() });
  }

  start() {
    this.#takeUp();
    for (const name of ["sent", "unsent", "refused"]) outbox().addEventListener(name, this.#onOutbox, { signal: this.#outboxEvents.signal });
    for (const item of outbox().items(this.id)) this.showUnsent(item);
    this.#showLeftNote();
    liveSocket().subscribe(this.topic, {
      position: () => ({ after: this.state.position, turns: positionsOf(this.state) }),
      onFrame: (frame) => this.#onFrame(frame),
    });
    this.#readUntil = this.thread.lastNumber; // the page itself has been read
  }

  stop() {
    this.#outboxEvents.abort();
    liveSocket().unsubscribe(this.topic);
  }

  /** The turn that Stop would stop: the newest one whose answer is on the page. */
  get running() {
    return runningTurns(this.state).filter(({ message }) => message && this.thread.find(message)).at(-1) ?? null;
  }

  async stopAnswer() {
    const turn = this.running;
    if (!turn) return;
    fill(this.thread.find(turn.message), { status: t("stopping") });
    await post(`${this.urls.turns}${turn.id}/stop/`);
  }

  async reload() {
    await this.thread.reload();
    this.#takeUp();
  }

  async #reloadAfterEvents() {
    const hasOtherGoneOn = this.#hasOtherGoneOn;
    this.#hasOtherGoneOn = false;
    if (!hasOtherGoneOn) return this.reload();
    await this.thread.reloadAfterOthers();
    return this.#takeUp();
  }

  /** Bring message `id` onto the page. It may be on another branch: from then on only what belongs to that is added. */
  async show(id, number) {
    if (await this.thread.show(id, number)) this.#takeUp();
  }

  /** What the page shows now is another part of the conversation: its path, and its answers that are being written. */
  #takeUp() {
    this.#readPath();
    for (const article of this.thread.articles.filter(({ dataset }) => OPEN.includes(dataset.state) && dataset.turn)) this.#adopt(article);
    this.tell.changed();
  }

  /** A message of this member that the server does not have yet. */
  showUnsent({ body, files = [], refusal, later }) {
    if (this.thread.findByClient(body.client_id)) return;
    const article = fill(clone("t-person"), { time: clock() });
    article.dataset.client = body.client_id;
    article.setAttribute("aria-label", `${slot(article, "name").textContent}, ${clock()}`);
    slot(article, "text").append(render(body.content));
    for (const file of files) slot(article, "files").append(fill(clone("t-part-file"), { name: file.name, note: file.note }));
    slot(article, "files").hidden = !files.length;
    this.thread.append(article);
    if (refusal) this.#mark(article, "t-refused", refusal);
    else if (later?.until > Date.now()) this.#mark(article, "t-later", t("goes_at", { why: later.why, time: dayClock(later.until) }));
    else if (navigator.onLine === false) this.#mark(article, "t-unsent");
    this.follow.toEnd();
  }

  /** The answer of a command that was run on the welcome page, which led here. */
  #showLeftNote() {
    const left = read("note");
    if (left?.conversation !== this.id) return;
    write("note", null);
    this.note(left.notice, left.command);
  }

  /** Words for this member alone, such as the answer of a command: in place of what the same one answered before. */
  note(text, command = "") {
    for (const earlier of document.querySelectorAll(".notice[data-command]")) if (earlier.dataset.command === command) earlier.remove();
    if (!text) return;
    const note = clone("t-answer-only");
    if (command) note.dataset.command = command;
    slot(note, "text").append(render(text));
    this.thread.append(note);
    this.follow.toEnd();
  }

  /** Go over to the branch that `message` is on, or (null) follow the conversation again. The server remembers it for this member. */
  async choose(message) {
    await post(`${this.urls.api}branches/`, { message });
    await this.#goOver();
  }

  /** The server has taken a wish that began a branch: it is this member's from now on. */
  async began(accepted) {
    await this.#goOver();
    this.accepted(accepted);
  }

  async #goOver() {
    this.thread.branch = "";
    await this.reload();
    this.thread.left = ""; // its news may have been faster
  }

  /** The server has taken a message or a wish for an answer: {message, turn?, answer?}. */
  accepted({ message, turn, answer }, clientId = null) {
    const article = clientId && this.thread.findByClient(clientId);
    if (article && !article.dataset.message) { // otherwise the event was faster than the answer, and has brought the HTML
      article.id = `m-${message.id}`;
      Object.assign(article.dataset, { message: message.id, number: message.position, state: "completed" });
      article.querySelectorAll(".notice").forEach((notice) => notice.remove());
      slot(article, "meta").hidden = true;
      this.thread.settle(article);
      this.thread.refresh(message.id).catch(() => null);
    }
    if (turn) this.#expect(turn, answer, article);
  }

  #expect({ id, message, status }, answer, asked) {
    applyStatus(this.state, { turn: id, state: status, message });
    liveSocket().check(); // what comes next comes there
    if (!this.thread.find(message) && this.thread.isAtPathEnd) {
      const name = answer?.agent?.name ?? this.answerer();
      this.thread.append(Answers.article({ message, turn: id, number: answer?.position, name }), asked);
    }
    this.#spoke(id);
    this.tell.changed();
  }

  /** Follow an answer that the page shows unfinished: its stream is replayed from the start over what the row had. */
  #adopt(article) {
    const { turn, message, state } = article.dataset;
    applyStatus(this.state, { turn, message, state: state === "queued" || state === "waiting" ? state : "running" });
    this.#spoke(turn);
  }

  #readPath() {
    const { articles, leaf } = this.thread;
    const shown = articles.map(({ dataset }) => dataset.message).filter(Boolean);
    this.state.path = leaf && !shown.includes(leaf) ? [...shown, leaf] : shown; // what comes next comes after its end
    this.state.isPathStale = false;
  }

  #onFrame(frame) {
    switch (frame.type) {
      case "delta": return this.#onDelta(frame);
      case "status": return this.#onStatus(frame);
      case "event": return this.#onEvent(frame);
      case "snapshot": return this.#onSnapshot(frame);
      case "presence": return this.people.presence(frame);
      case "typing": return this.people.typing(frame);
      case "error": return this.tell.error(frame);
      default: return null;
    }
  }

  #onSnapshot(frame) {
    const seen = this.state.position;
    const { path } = this.state;
    if (applySnapshot(this.state, frame) !== APPLIED) return;
    if (frame.data?.conversation) this.tell.conversation(frame.data.conversation);
    // The page was rendered at `seen`: nothing to do when nothing has happened since.
    if (seen === frame.topic_position) this.state.path = path;
    else {
      this.state.isPathStale = true; // the snapshot's path is the member's own; another branch may be shown
      this.#hasOtherGoneOn = true;
      this.#reload();
    }
    this.tell.changed();
  }

  #onEvent(frame) {
    const result = applyEvent(this.state, frame);
    if (result === GAP) return "gap";
    if (result !== APPLIED) return null;
    const { message, answer, turn, conversation } = frame.data ?? {};
    if (conversation) this.tell.conversation(conversation);
    for (const each of [message, answer]) if (each) this.#messageChanged(each);
    if (turn) this.#turnChanged(this.state.turns.get(turn.id));
    if (message) window.dispatchEvent(new CustomEvent("talks:changed"));
    this.#tellRead();
    this.tell.changed();
    return null;
  }

  #messageChanged(message) {
    if (this.state.isPathStale) {
      this.#hasOtherGoneOn ||= message.role !== "user" || message.author?.id !== document.body.dataset.viewerId;
      return this.#reload();
    }
    if (runningTurnOf(this.state, message.id) && this.thread.find(message.id)) return null;
    const isKnown = this.thread.find(message.id) || (message.client_id && this.thread.findByClient(message.client_id));
    if (!isKnown && this.state.path.at(-1) === message.id) this.thread.goesOnElsewhere = false; // the newest message says where it does
    if (!isKnown && !this.thread.isAtPathEnd) return null;
    if (!isKnown) window.dispatchEvent(new CustomEvent("conversation:arrived"));
    return this.thread.refresh(message.id, () => this.#isOnPath(message.id)).catch(() => null);
  }

  /** While the path is stale nothing is added to it: the reload that is due knows better. */
  #isOnPath(id) {
    return !this.state.isPathStale && this.state.path.includes(id);
  }

  #turnChanged(turn) {
    if (isFinal(turn.state)) return this.#ended(turn);
    const article = turn.message && this.thread.find(turn.message);
    if (!article) return null;
    if (!OPEN.includes(article.dataset.state)) this.thread.refresh(turn.message).catch(() => null); // it was finished, and goes on
    return this.answers.status(article, turn);
  }

  #onStatus(frame) {
    if (applyStatus(this.state, frame) !== APPLIED) return;
    this.#turnChanged(this.state.turns.get(frame.turn));
    this.tell.changed();
  }

  #onDelta(frame) {
    const isFirst = !this.state.turns.get(frame.turn)?.seq;
    const result = applyDelta(this.state, frame);
    if (result === GAP) return "gap";
    if (result === APPLIED) this.#spoke(frame.turn);
    if (isFirst) this.tell.changed();
    return null;
  }

  #spoke(turnId) {
    const turn = this.state.turns.get(turnId);
    const article = turn.message && !isFinal(turn.state) && this.thread.find(turn.message);
    if (!article) return;
    this.announcer.began(turnId, slot(article, "name")?.textContent ?? article.querySelector(".who b").textContent);
    this.answers.status(article, turn);
    if (!turn.seq) return;
    this.answers.changed(article);
    this.announcer.grew(turnId, textOf(this.state, turn.message));
  }

  async #ended(turn) {
    if (!turn.message) return;
    const text = textOf(this.state, turn.message);
    const article = this.thread.find(turn.message);
    article?.removeAttribute("aria-busy");
    await this.#refreshSurely(turn.message);
    this.answers.drop(turn.message);
    const words = Number(this.thread.find(turn.message)?.dataset.words) || countWords(text);
    this.announcer.ended(turn.id, turn.state, words);
    window.dispatchEvent(new CustomEvent("context:stale"));
  }

  /** The final HTML of an answer must come, however long the network is away. */
  async #refreshSurely(message, wait = 1000) {
    try {
      await this.thread.refresh(message, () => this.#isOnPath(message));
    } catch {
      await new Promise((resolve) => { setTimeout(resolve, wait); });
      if (this.thread.find(message)) await this.#refreshSurely(message, Math.min(wait * 2, 30_000));
    }
  }

  async #read() {
    const position = this.thread.lastNumber;
    if (position <= this.#readUntil || !this.follow.isAtEnd || document.visibilityState !== "visible") return;
    this.#readUntil = position;
    await post(`${this.urls.api}read/`, { position }).catch(() => null);
  }

  #onOutbox = ({ type, detail: { item, answer, error } }) => {
    if (item.conversation !== this.id) return;
    const article = this.thread.findByClient(item.body.client_id);
    if (type === "sent") {
      if (this.thread.branch) this.#reload(); // it may have been written before that branch was shown
      this.thread.branch = ""; // whoever writes follows what is written
      this.accepted(answer, item.body.client_id);
    }
    else if (article && item.later) this.#mark(article, "t-later", t("goes_at", { why: item.later.why, time: dayClock(item.later.until) }));
    else if (article && type === "refused") this.#mark(article, "t-refused", error.message);
    else if (article) this.#mark(article, "t-unsent", error.status ? error.message : navigator.onLine === false ? null : t("not_sent"));
  };

  #mark(article, template, text = null) {
    article.dataset.state = "unsent";
    slot(article, "meta").hidden = true;
    article.querySelectorAll(".notice").forEach((notice) => notice.remove());
    const notice = clone(template);
    if (text) fill(notice, { text });
    article.querySelector(".body").append(notice);
  }
}
