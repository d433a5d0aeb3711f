import { Controller } from "@hotwired/stimulus";

import { markWords, unmarkWords } from "extraction/marking";
import { fetchElements, post } from "core/http";
import { isEditable } from "core/dom";
import { t } from "core/words";

const KEYS = new Map([["a", "accept"], ["e", "edit"], ["r", "reject"]]);

/** One suggested record: accept, edit and accept, reject; the words behind a value. */
export default class extends Controller {
  static targets = ["fields", "footer", "form", "notice"];
  static values = { api: String, url: String };

  connect() {
    this.element.addEventListener("keydown", this.#key);
  }

  disconnect() {
    this.element.removeEventListener("keydown", this.#key);
  }

  accept() {
    return this.#decide("accept/", {});
  }

  /** Into a record that is there, which it may be. */
  join({ params: { into } }) {
    return this.#decide("accept/", { into });
  }

  /** It is another thing than those it is like: nobody is asked about it again. */
  keepBoth() {
    return this.#decide("accept/?on_duplicate=new", {});
  }

  reject() {
    return this.#decide("reject/", {});
  }

  edit() {
    if (!this.hasFormTarget) return;
    this.#editing(true);
    this.formTarget.querySelector("input, select, textarea")?.focus();
  }

  cancel() {
    this.formTarget.reset();
    this.#editing(false);
    this.element.focus();
  }

  formKey(event) {
    if (event.key !== "Escape") return;
    event.preventDefault();
    event.stopPropagation();
    this.cancel();
  }

  save(event) {
    event.preventDefault();
    const changed = [...this.formTarget.querySelectorAll("[data-was]")].filter((input) => input.value !== input.dataset.was);
    let data;
    try {
      data = Object.fromEntries(changed.map((input) => [input.name, valueOf(input)]));
    } catch (error) {
      return this.#tell(error.message);
    }
    return this.#decide("accept/", { data });
  }

  /** An answer to what is missing, given here instead of in the conversation. */
  answer(event) {
    event.preventDefault();
    const form = event.currentTarget;
    const value = valueOf(form.querySelector("[data-type]"));
    if (value === null) return form.querySelector("[data-type]").focus();
    return this.#settle(`${form.dataset.api}answer/`, { field: form.dataset.field, value });
  }

  skip({ currentTarget }) {
    const { api, field } = currentTarget.closest("form").dataset;
    return this.#settle(`${api}skip/`, { field });
  }

  abandon({ currentTarget }) {
    return this.#settle(`${currentTarget.dataset.api}abandon/`, {});
  }

  async #settle(url, body) {
    if (this.isBusy) return;
    this.isBusy = true;
    try {
      await post(url, body);
      await this.#redraw();
    } catch (error) {
      this.#tell(error.errors?.[0]?.detail ?? error.message);
    }
    this.isBusy = false;
  }

  /** The words in the message, when it is on the page; beside the value they stand anyway. */
  show({ currentTarget: details }) {
    if (details.open) markWords(details.dataset);
    else unmarkWords();
  }

  async #decide(what, body) {
    if (this.isBusy) return;
    this.isBusy = true;
    this.element.setAttribute("aria-busy", "true");
    try {
      await post(this.apiValue + what, body);
      await this.#redraw();
    } catch (error) {
      if (error.code === "proposal_decided") await this.#late(error, body.data);
      else this.#refused(error);
    }
    this.isBusy = false;
    this.element.removeAttribute("aria-busy");
  }

  /** Somebody was faster: what they decided is shown, and what was typed here is not lost. */
  async #late(error, data) {
    const who = error.more.decided_by;
    const said = who ? t("decided_by_other", { name: who }) : error.message;
    const values = Object.values(data ?? {}).map(String).join(", ");
    const fresh = await this.#redraw();
    const note = document.createElement("p");
    note.className = "notice lost";
    note.dataset.kind = "warn";
    note.setAttribute("role", "alert");
    note.textContent = values ? `${said} ${t("your_values", { values })}` : said;
    (fresh ?? this.element).after(note);
  }

  #refused(error) {
    for (const wrong of this.element.querySelectorAll("[data-wrong]")) wrong.hidden = true;
    const unsaid = (error.errors ?? []).filter(({ field, detail }) => !this.#wrongAt(field, detail));
    if (this.hasFormTarget && error.errors?.length) this.#editing(true);
    const more = unsaid.map(({ detail }) => detail).filter((detail) => detail !== error.message);
    this.#tell([error.message, ...more].join(" "));
    this.element.querySelector("form [aria-invalid]")?.focus();
  }

  #wrongAt(field, detail) {
    const name = field.replace(/^data\./, "").split(".")[0];
    const place = this.element.querySelector(`[data-wrong="${CSS.escape(name)}"]`);
    if (!place) return false;
    place.hidden = false;
    place.querySelector("span").textContent = detail;
    place.parentElement.querySelector("[data-was]")?.setAttribute("aria-invalid", "true");
    return true;
  }

  #tell(text) {
    const note = document.createElement("p");
    note.className = "notice";
    note.dataset.kind = "bad";
    note.textContent = text;
    this.noticeTarget.replaceChildren(note);
  }

  #editing(isOn) {
    this.element.toggleAttribute("data-editing", isOn);
    this.formTarget.hidden = !isOn;
    this.fieldsTarget.hidden = isOn;
    this.footerTarget.hidden = isOn;
    this.noticeTarget.replaceChildren();
  }

  async #redraw() {
    const [fresh] = (await fetchElements(this.urlValue)) ?? [];
    if (!fresh) return null;
    const hadFocus = this.element.contains(document.activeElement);
    this.element.removeAttribute("data-editing");
    this.element.replaceWith(fresh);
    fresh.dispatchEvent(new CustomEvent("proposal:decided", { bubbles: true, detail: { hadFocus } }));
    if (hadFocus && !document.activeElement?.closest("[data-proposal]")) fresh.focus({ preventScroll: true });
    return fresh;
  }

  /** Letters work while the card itself has the focus, as those of a message do. */
  #key = (event) => {
    const isPlain = !event.metaKey && !event.ctrlKey && !event.altKey && !event.shiftKey;
    const does = isPlain && !isEditable(event.target) && document.body.dataset.singleKeys !== "off" && KEYS.get(event.key);
    if (!does || event.target !== this.element) return;
    event.preventDefault();
    event.stopPropagation();
    this[does === "accept" && this.element.querySelector(".near") ? "keepBoth" : does]();
  };
}

/** As JSON wants it; an emptied field is taken away. */
function valueOf({ value, dataset: { type } }) {
  const text = value.trim();
  if (!text) return null;
  if (type === "lines") return text.split("\n").map((line) => line.trim()).filter(Boolean);
  if (type === "boolean") return text === "true";
  if (type === "json") {
    try {
      return JSON.parse(text);
    } catch {
      throw new Error(t("not_json"));
    }
  }
  const number = Number(text.replace(",", "."));
  return (type === "integer" || type === "number") && !Number.isNaN(number) ? number : text;
}
