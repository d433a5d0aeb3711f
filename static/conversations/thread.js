// The list of messages on the page: a window on the member's path. Finished messages are the server's HTML; the window grows
// at its edges and is cut at the far one, so that five thousand messages cost as much as two hundred.

import { carryEditor } from "conversations/editor";
import { decorate } from "core/code";
import { fetchElements } from "core/http";
import { keyboardIn } from "core/keyboard";

const PAGE = 50;
const LONGEST = 200;
const NO_ID = "00000000-0000-0000-0000-000000000000";
const LOCAL = "sending unsent queued thinking streaming waiting".split(" ");

export class Thread {
  #element;
  #urls;
  #follow;
  #loading = null;
  #refreshing = new Map(); // message id → {again: the wish that came meanwhile, done: a promise}
  #edges;
  #leaf;
  #branch; // a message of a branch that is shown, not one's own; the thread stays there until the member goes on
  #notices;
  #left = ""; // the end of a branch that was shown until somebody else went on on another one
  isAtPathEnd = true; // false: messages after the last one shown exist and are not on the page

  /** `urls`: {messages, message}, addresses of fragments; `leaf`: the end of the path; `branch`: see there; `notices`: {otherBranch, elsewhere, moved}, as the server rendered them. */
  constructor({ element, scroller, urls, follow, leaf, branch, notices }) {
    this.#leaf = leaf;
    this.#branch = branch;
    this.#notices = notices;
    this.#element = element;
    this.#urls = urls;
    this.#follow = follow;
    this.#edges = new IntersectionObserver((entries) => this.#reached(entries), { root: scroller, rootMargin: "800px" });
    this.isAtPathEnd = !leaf || Boolean(this.find(leaf)); // a link to an old message opens the page around it
    this.#watchEdges();
    decorate(element);
  }

  disconnect() {
    this.#edges.disconnect();
  }

  get branch() {
    return this.#branch;
  }

  set branch(id) {
    this.#branch = id;
    this.#notices.otherBranch.hidden = !id;
    this.goesOnElsewhere = false; // one's own branch that is not the conversation's is what the server knows of
    this.left = "";
  }

  get left() {
    return this.#left;
  }

  set left(id) {
    this.#left = id;
    this.#notices.moved.hidden = !id;
  }

  set goesOnElsewhere(isSo) {
    this.#notices.elsewhere.hidden = !isSo;
  }

  get articles() {
    // Articles alone: what is quoted in a card below a message names a message, too.
    return [...this.#element.querySelectorAll("article[data-message], article[data-client]")];
  }

  /** The last message of the path that is shown, also while the window has not reached it. */
  get leaf() {
    return (this.isAtPathEnd && this.articles.findLast(({ dataset }) => dataset.message)?.dataset.message) || this.#leaf;
  }

  get lastNumber() {
    return Math.max(0, ...this.#numbers);
  }

  get #numbers() {
    return [...this.#element.querySelectorAll("[data-number]")].map((article) => Number(article.dataset.number));
  }

  find(id) {
    return this.#element.querySelector(`#m-${CSS.escape(id)}`);
  }

  findByClient(clientId) {
    return this.#element.querySelector(`[data-client="${CSS.escape(clientId)}"]`);
  }

  /** Something new at the end, or right after the message it answers. */
  append(article, after = null) {
    if (after?.isConnected) after.after(article);
    else this.#element.append(article);
    this.#follow.grown();
  }

  /** A message that has its number now: several on their way at once may have been taken in another order. */
  settle(article) {
    const number = Number(article.dataset.number);
    const at = this.articles.indexOf(article);
    const isLate = this.articles.slice(0, at).some((other) => Number(other.dataset.number ?? 0) > number);
    const isEarly = this.articles.slice(at + 1).some((other) => Number(other.dataset.number ?? Infinity) < number);
    if (isLate || isEarly) this.#insert(article);
  }

  /**
   * Take the server's HTML of one message; several wishes while one is on its way make one more fetch, and all wait for what it
   * brings. A message that is not on the page is put there only when `isOnPath()` says that it belongs.
   */
  refresh(id, isOnPath = () => false) {
    const underWay = this.#refreshing.get(id);
    if (underWay) {
      underWay.again = isOnPath;
      return underWay.done;
    }
    const wish = { again: null };
    this.#refreshing.set(id, wish);
    wish.done = this.#refreshOnce(id, isOnPath, wish);
    return wish.done;
  }

  async #refreshOnce(id, isOnPath, wish) {
    try {
      const [fresh] = (await fetchElements(this.#urls.message.replace(NO_ID, id), { into: this.find(id) })) ?? [];
      if (fresh) this.#put(fresh, isOnPath);
    } finally {
      this.#refreshing.delete(id);
      if (wish.again) await this.refresh(id, wish.again);
    }
  }

  /** The end of the path anew: after a switch of branches, or when more was missed than events could tell. */
  async reload() {
    const fresh = await this.#fetch(this.branch ? { leaf: this.branch } : {}, this.#element);
    this.#tellBranch(fresh, this.branch);
    const shown = new Map(this.articles.map((article) => [article.dataset.message, article]));
    const unsent = this.articles.filter((article) => !article.dataset.message);
    const { activeElement } = document;
    const change = () => {
      const drawn = fresh.map((element) => this.#writtenOrNew(shown.get(element.dataset.message), element));
      const goOn = drawn.map((element) => element.dataset.message && shown.has(element.dataset.message) && handsOf(shown.get(element.dataset.message), element));
      this.#element.replaceChildren(...drawn, ...unsent);
      for (const each of goOn) if (each) each();
      if (unsent.some((article) => article.contains(activeElement))) activeElement.focus();
      this.isAtPathEnd = true;
      this.#watchEdges();
    };
    const place = this.#follow.isAtEnd ? null : this.#follow.firstVisible(this.articles)?.id;
    this.#follow.keepPlace(() => place && document.getElementById(place), change);
    this.#follow.grown();
  }

  /** What others wrote is followed. Where that is on another branch than the one that was shown, the page says so and leads back. */
  async reloadAfterOthers() {
    const { branch, left } = this;
    const was = this.leaf;
    const { number } = this.find(was)?.dataset ?? {};
    await this.reload();
    const isShown = !was || this.find(was) || !number || Number(number) < Math.min(...this.#numbers); // or is it before the window?
    if (branch || isShown) return;
    this.left = left && !this.find(left) ? left : was;
  }

  async older() {
    const edge = this.#element.querySelector(":scope > .older:not([hidden])");
    if (!edge) return;
    await this.#once(async () => {
      const fresh = await this.#fetchHere({ before: edge.dataset.before, limit: PAGE });
      this.#follow.keepPlace(here(this.articles[0]), () => {
        edge.replaceWith(...fresh);
        this.#cut("end");
        this.#watchEdges();
      });
    });
  }

  async newer() {
    let hasGrown = false;
    await this.#once(async () => {
      const fresh = (await this.#fetchHere({ after: this.lastNumber, limit: PAGE })).filter((element) => element.dataset.number);
      hasGrown = fresh.length > 0;
      this.isAtPathEnd = fresh.length < PAGE;
      this.#follow.keepPlace(here(this.articles.at(-1)), () => {
        for (const article of fresh) if (!this.find(article.dataset.message)) this.#insert(article);
        this.#cut("start");
        this.#watchEdges();
      });
    });
    if (this.isAtPathEnd && hasGrown) this.#follow.grown();
  }

  /**
   * Bring message `id` onto the page, with what stands around it: on the branch that is shown or, where it is not on that, on its
   * own. Answers whether that changed what is shown.
   */
  async show(id, number) {
    if (this.find(id)) return false;
    const around = { before: number + PAGE / 2, limit: PAGE };
    let fresh = await this.#fetchHere(around);
    this.#leaf = this.leaf;
    if (!fresh.some(({ dataset }) => dataset.message === id)) {
      fresh = await this.#fetch({ ...around, leaf: id });
      this.#leaf = branchOf(fresh).branch || id;
      this.#tellBranch(fresh, id);
    }
    const local = this.articles.filter((article) => !article.dataset.message);
    this.#element.replaceChildren(...fresh, ...local);
    this.isAtPathEnd = false;
    this.#follow.isAtEnd = false;
    this.#watchEdges();
    return true;
  }

  /** After a switch of versions: the same button of the version that took the place, else the other one. */
  focusSibling(parent, label) {
    const article = this.articles.find(({ dataset }) => (dataset.parent ?? "") === parent);
    const buttons = [...(article?.querySelectorAll(".siblings button:not([disabled])") ?? [])];
    (buttons.find((button) => button.getAttribute("aria-label") === label) ?? buttons[0])?.focus();
  }

  /** What a fragment says of the branch that it is from; `id` is on it. */
  #tellBranch(fresh, id) {
    const { branch = "", elsewhere = "" } = branchOf(fresh);
    this.branch = branch && id;
    this.goesOnElsewhere = Boolean(elsewhere);
  }

  async #once(action) {
    if (this.#loading) return this.#loading;
    this.#loading = action().finally(() => { this.#loading = null; });
    return this.#loading;
  }

  /** More of the path that is shown, whichever the member has switched to elsewhere. */
  #fetchHere(query) {
    return this.#fetch(this.leaf ? { ...query, leaf: this.leaf } : query);
  }

  async #fetch(query, into = null) {
    const fresh = (await fetchElements(`${this.#urls.messages}?${new URLSearchParams(query)}`, { into })) ?? [];
    for (const element of fresh) decorate(element);
    return fresh;
  }

  #put(fresh, isOnPath) {
    decorate(fresh);
    const shown = this.find(fresh.dataset.message) ?? (fresh.dataset.client && this.findByClient(fresh.dataset.client));
    if (!shown) return this.isAtPathEnd && isOnPath() ? this.#insert(fresh) : null;
    const goOn = handsOf(shown, fresh);
    shown.replaceWith(fresh);
    this.settle(fresh);
    goOn();
    this.#follow.grown();
    return fresh;
  }

  #insert(article) {
    const number = Number(article.dataset.number);
    const next = this.articles.find((other) => Number(other.dataset.number ?? Infinity) > number);
    if (next) next.before(article);
    else this.#element.append(article);
  }

  /** An answer that is being written knows more on the page than in the row. */
  #writtenOrNew(shown, fresh) {
    return shown && LOCAL.includes(shown.dataset.state) && LOCAL.includes(fresh.dataset.state) ? shown : fresh;
  }

  #cut(side) {
    const articles = this.articles.filter((article) => article.dataset.number && !LOCAL.includes(article.dataset.state));
    const excess = this.articles.length - LONGEST;
    if (excess <= 0) return;
    if (side === "end") {
      this.#leaf = this.leaf;
      for (const article of articles.slice(-excess)) article.remove();
      this.isAtPathEnd = false;
      return;
    }
    for (const article of articles.slice(0, excess)) article.remove();
    const edge = this.#element.querySelector(":scope > .older");
    if (!edge) return;
    edge.hidden = false;
    edge.dataset.before = Math.min(...this.#numbers);
    this.#element.querySelector(":scope > p.note:not([data-message])")?.remove();
  }

  #watchEdges() {
    this.#edges.disconnect();
    const first = this.#element.querySelector(":scope > .older:not([hidden])");
    const last = this.isAtPathEnd ? null : this.articles.at(-1);
    for (const edge of [first, last]) if (edge) this.#edges.observe(edge);
  }

  #reached(entries) {
    for (const { target, isIntersecting } of entries) {
      if (!isIntersecting) continue;
      const load = target.matches(".older") ? this.older() : this.newer();
      load.catch(() => this.#edges.unobserve(target)); // the button stays; scrolling back tries again
    }
  }
}

const here = (element) => () => element;

/** What is done with a message goes on at the one that takes its place: writing, the menu that is open, the keyboard. Answers what sees to that then. */
function handsOf(shown, fresh) {
  const hadFocus = shown.contains(document.activeElement);
  const keyboard = keyboardIn(shown);
  const goOnWriting = shown === fresh ? () => null : carryEditor(shown, fresh);
  return () => {
    if (shown !== fresh) fresh.dispatchEvent(new CustomEvent("message:replaced", { bubbles: true, detail: { was: shown.id } }));
    if (hadFocus && !keyboard(fresh)) fresh.focus({ preventScroll: true });
    goOnWriting();
  };
}

/** Of a fragment: the end of the branch that it is from, where that is not the member's own, and whether the conversation goes on elsewhere. */
const branchOf = (fresh) => fresh.find(({ dataset }) => dataset.branch !== undefined)?.dataset ?? {};
