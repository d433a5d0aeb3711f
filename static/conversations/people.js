// Who is here and who is typing. Nothing else on the page moves because somebody else did something.

import { clone, fill } from "core/dom";
import { list, t } from "core/words";

const FACES = 3;
const TINTS = 6;
const TYPING_MS = 6000; // one who typed and vanished is not typing for ever
const CHANGE_MS = 5000; // a screen reader hears of typing at most this often
const TOLD_MS = 3000; // we tell others that we type at most this often

export class People {
  #faces;
  #typingLine;
  #viewer;
  #typing = new Map(); // user → {name, timer}
  #saidAt = -Infinity;
  #here = [];

  constructor({ faces, typing, viewer }) {
    this.#faces = faces;
    this.#typingLine = typing;
    this.#viewer = viewer;
    addEventListener("people:shown", this.#mark);
  }

  disconnect() {
    removeEventListener("people:shown", this.#mark);
  }

  presence({ people }) {
    const others = people.filter(({ id }) => id !== this.#viewer);
    const me = people.filter(({ id }) => id === this.#viewer);
    const shown = [...me, ...others];
    const names = (state) => shown.filter((person) => person.state === state).map(({ name }) => name);
    this.#faces.replaceChildren(...shown.slice(0, FACES).map(face));
    if (shown.length > FACES) this.#faces.append(Object.assign(clone("t-face"), { textContent: `+${shown.length - FACES}` }));
    const label = [
      others.length && names("here").length ? t("here", { names: list(names("here")) }) : "",
      names("away").length ? t("away", { names: list(names("away")) }) : "",
    ];
    this.#faces.setAttribute("aria-label", label.filter(Boolean).join(" ") || t("only_you"));
    this.#here = people;
    this.#mark();
  }

  /** The list of people, where it is shown: it may come after the news of who is here. */
  #mark = () => {
    for (const row of document.querySelectorAll("[data-person]")) {
      const avatar = row.querySelector(".avatar");
      const state = this.#here.find(({ id }) => id === row.dataset.person)?.state;
      if (avatar && state) avatar.dataset.here = state === "here" ? "yes" : "away";
      else if (avatar) delete avatar.dataset.here;
    }
  };

  typing({ user, name, on }) {
    if (user === this.#viewer) return;
    clearTimeout(this.#typing.get(user)?.timer);
    if (on) this.#typing.set(user, { name, timer: setTimeout(() => this.typing({ user, name, on: false }), TYPING_MS) });
    else this.#typing.delete(user);
    this.#showTyping();
  }

  #showTyping() {
    const [first, ...others] = [...this.#typing.entries()];
    if (!first) return this.#typingLine.replaceChildren();
    const [user, { name }] = first;
    const text = others.length ? t("typing_many", { name, count: others.length }) : t("typing_one", { name });
    const line = fill(clone("t-typing"), { text, avatar: initials(name) });
    line.querySelector('[data-slot="avatar"]').dataset.tint = tint(user);
    this.#typingLine.ariaLive = performance.now() - this.#saidAt > CHANGE_MS ? "polite" : "off";
    this.#saidAt = performance.now();
    this.#typingLine.replaceChildren(line);
    return null;
  }
}

/** Tells others that this member types; says so again while it goes on, and once when it ends. */
export class Typist {
  #tell;
  #toldAt = -Infinity;
  #timer = null;

  constructor(tell) {
    this.#tell = tell;
  }

  typed(hasText) {
    clearTimeout(this.#timer);
    if (!hasText) return this.stop();
    if (performance.now() - this.#toldAt > TOLD_MS) {
      this.#toldAt = performance.now();
      this.#tell(true);
    }
    this.#timer = setTimeout(() => this.stop(), TYPING_MS - 1000);
    return null;
  }

  stop() {
    clearTimeout(this.#timer);
    if (this.#toldAt === -Infinity) return;
    this.#toldAt = -Infinity;
    this.#tell(false);
  }
}

function face({ id, name, state }) {
  const avatar = clone("t-face");
  avatar.textContent = initials(name);
  avatar.title = name;
  avatar.dataset.tint = tint(id);
  avatar.dataset.here = state === "here" ? "yes" : "away";
  return avatar;
}

function initials(name) {
  const words = name.split(/\s+/).filter((word) => /^[\p{L}\p{N}]/u.test(word));
  return [words[0], words.length > 1 ? words.at(-1) : ""].map((word) => [...(word ?? "")][0] ?? "").join("").toUpperCase() || "?";
}

const tint = (id) => parseInt(id.replaceAll("-", "").slice(-4), 16) % TINTS;
