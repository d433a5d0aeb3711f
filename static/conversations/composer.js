// The text being written: its draft, its size, and what a sending key is. No element but the text field.

import { debounce, isComposing } from "core/dom";
import { read, write } from "core/storage";

const KEEP_MS = 300;

export class Draft {
  #name;
  #contentOf;
  save;

  /** `contentOf()` → {text, files, references?}. Kept per member and conversation, so that it outlives reload, sign-out and lost network. */
  constructor(name, contentOf) {
    this.#name = `draft:${name}`;
    this.#contentOf = contentOf;
    this.save = debounce(() => this.saveNow(), KEEP_MS);
    addEventListener("pagehide", this.saveNow);
    document.addEventListener("visibilitychange", this.saveNow);
  }

  disconnect() {
    removeEventListener("pagehide", this.saveNow);
    document.removeEventListener("visibilitychange", this.saveNow);
  }

  /** True when there was one. Nobody typed it now: no `input` event, which would open the list of commands or tell others of typing. */
  restore(input, attachments, named) {
    const { text, files, references = [] } = read(this.#name, { text: "", files: [] });
    if (!text && !files.length) return false;
    references.forEach((each) => named.add(each));
    input.value ||= text;
    attachments.restore(files);
    return true;
  }

  saveNow = () => {
    const content = this.#contentOf();
    write(this.#name, content.text || content.files.length ? content : null);
  };
}

/** `key` is the member's preference: `enter` or `mod-enter`. Shift+Enter is always a line. */
export function isSendKey(event, key) {
  if (event.key !== "Enter" || isComposing(event) || event.shiftKey || event.altKey) return false;
  const hasMod = event.ctrlKey || event.metaKey;
  return key === "mod-enter" ? hasMod : true; // with `enter`, Ctrl+Enter sends as well
}

/** Grow with the text; CSS says how far. */
export function fit(input) {
  if (CSS.supports("field-sizing", "content")) return;
  input.rows = 1;
  const line = parseFloat(getComputedStyle(input).lineHeight);
  input.rows = Math.min(Math.max(Math.round(input.scrollHeight / line), 1), 12);
}

/** What a draft keeps: nothing of what is said to be sensitive, which stays in the page until it is sent. */
export function keptOf(input, files, named) {
  if (input.form.elements.sensitive?.checked) return { text: "", files: [] };
  return { text: input.value, files: files?.shown ?? [], references: named.said(input.value) };
}

const MOST_NAMED = 10;

/** What was chosen after a `#`. It is part of the message as long as the words say it. */
export class Named {
  #items = new Map();

  add({ sign = "#", kind, id, name }) {
    if (sign === "#" && id) this.#items.set(name, { kind, id, name });
  }

  said(text) {
    return [...this.#items.values()].filter(({ name }) => text.includes(`#${name}`)).slice(0, MOST_NAMED);
  }

  /** `{references}` of a message with these words, or nothing. */
  in(text) {
    const references = this.said(text).map(({ kind, id }) => ({ kind, id }));
    return references.length ? { references } : {};
  }
}

/**
 * What the box says of the next message: `{sensitive}`, or nothing, which is to say: as the message before it. It stays as it is
 * for the next one.
 */
export function markIn({ elements: { sensitive: box } }) {
  if (!box || box.disabled || (!box.checked && !box.defaultChecked)) return {};
  box.defaultChecked = box.checked;
  return { sensitive: box.checked };
}

/** `/name the rest` → {name, arguments}; null when it is not a command. */
export function commandIn(text) {
  const found = /^\/([a-z][a-z-]*)(?:\s+([\s\S]*))?$/.exec(text.trim());
  return found && { name: found[1], arguments: (found[2] ?? "").trim() };
}

/** A sign that begins a completion, as a word of its own. */
export function insertSign(input, sign) {
  input.focus();
  const { selectionStart: at, selectionEnd: end, value } = input;
  const space = at && !/\s$/.test(value.slice(0, at)) ? " " : "";
  input.setRangeText(space + sign, at, end, "end");
}

/** Whoever was chosen, if anybody, for all that is written here: what is said to people alone is not theirs to answer. */
export const standing = (answerer) => answerer && (answerer.model || answerer.agent) && { ...answerer, unless_to_people: true };

export const nameOf = (answerer) => answerer.querySelector('[data-slot="label"]').firstChild.textContent.trim();

export function showAnswerer(answerer, label, note) {
  const soft = Object.assign(document.createElement("span"), { className: "soft wide", textContent: note ? `· ${note}` : "" });
  answerer.querySelector('[data-slot="label"]').replaceChildren(`${label} `, soft);
}

/** One button where another was; the focus goes along. */
export function showInPlaceOf(button, other) {
  const hadFocus = document.activeElement === other;
  [button.hidden, other.hidden] = [false, true];
  if (hadFocus) button.focus();
}
