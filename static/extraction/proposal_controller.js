import { Controller } from "@hotwired/stimulus";

import { markWords, unmarkWords } from "extraction/marking";
import { actionOf, lostOf, noticeOf, redraw, showWrong, valueOf } from "extraction/proposal";
import { post } from "core/http";

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

  #settle(url, body) {
    return this.#once(() => post(url, body), (error) => this.#tell(error.errors?.[0]?.detail ?? error.message));
  }

  /** The words in the message, when it is on the page; beside the value they stand anyway. */
  show({ currentTarget: details }) {
    if (details.open) markWords(details.dataset);
    else unmarkWords();
  }

  #decide(what, body) {
    const failed = (error) => (error.code === "proposal_decided" ? this.#late(error, body.data) : this.#refused(error));
    return this.#once(() => post(this.apiValue + what, body), failed);
  }

  /** One at a time: a second press while the first is on its way does nothing. */
  async #once(act, failed) {
    if (this.isBusy) return;
    this.isBusy = true;
    this.element.setAttribute("aria-busy", "true");
    try {
      await act();
      await redraw(this.element, this.urlValue);
    } catch (error) {
      await failed(error);
    }
    this.isBusy = false;
    this.element.removeAttribute("aria-busy");
  }

  /** Somebody was faster: what they decided is shown, and what was typed here is not lost. */
  async #late(error, data) {
    const fresh = await redraw(this.element, this.urlValue);
    (fresh ?? this.element).after(lostOf(error, data));
  }

  #refused(error) {
    const more = showWrong(this.element, error);
    if (this.hasFormTarget && error.errors?.length) this.#editing(true);
    this.#tell([error.message, ...more].join(" "));
    this.element.querySelector("form [aria-invalid]")?.focus();
  }

  #tell(text) {
    this.noticeTarget.replaceChildren(noticeOf(text, "bad"));
  }

  #editing(isOn) {
    this.element.toggleAttribute("data-editing", isOn);
    this.formTarget.hidden = !isOn;
    this.fieldsTarget.hidden = isOn;
    this.footerTarget.hidden = isOn;
    this.noticeTarget.replaceChildren();
  }

  #key = (event) => {
    const does = actionOf(event, this.element);
    if (!does) return;
    event.preventDefault();
    event.stopPropagation();
    this[does]();
  };
}
