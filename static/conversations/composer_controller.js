import { Controller } from "@hotwired/stimulus";

import { Completion } from "conversations/completion";
import { Draft, Named, commandIn, fit, insertSign, isSendKey, markIn, nameOf, showAnswerer, showInPlaceOf, standing } from "conversations/composer";
import { Typist } from "conversations/people";
import { clone, fill, isComposing } from "core/dom";
import { number, t } from "core/words";

/** The composer. It asks its host, the page's conversation or start controller, to take what was written. */
export default class extends Controller {
  static targets = ["answerer", "completion", "counter", "input", "notice", "options", "send", "stop", "toFile"];
  static values = { commandsUrl: String, draftKey: String, limit: Number, mentionsUrl: String, quiet: Number, referencesUrl: String };
  #answerer = null;
  #isSending = false;
  #isSettled = () => false; // does what is complained of no longer hold?
  named = new Named();

  connect() {
    if (!this.hasInputTarget) return;
    this.sendKey = document.body.dataset.sendKey || "enter";
    this.typist = new Typist((on) => this.host?.typing?.(on));
    const urls = { "/": this.commandsUrlValue, "@": this.mentionsUrlValue, "#": this.referencesUrlValue };
    const onTake = (item) => this.named.add(item);
    this.completion = new Completion({ input: this.inputTarget, box: this.completionTarget, list: this.optionsTarget, urls, onTake });
    this.draft = new Draft(this.draftKeyValue, this);
    queueMicrotask(() => this.draft.restore()); // the controller of the files may connect after this one
  }

  disconnect() {
    this.draft?.disconnect();
    this.typist?.stop();
  }

  get host() {
    const find = (name) => this.application.getControllerForElementAndIdentifier(document.body, name);
    return find("conversation") ?? find("start");
  }

  get files() {
    return this.application.getControllerForElementAndIdentifier(this.element, "files")?.attachments;
  }

  /** Who shall answer, when the member chose somebody on this page: {model} or {agent}. */
  get answerer() {
    return this.#answerer ?? {};
  }

  get isEmpty() {
    return !this.inputTarget.value && this.files.isEmpty;
  }

  get answererName() {
    return this.hasAnswererTarget ? nameOf(this.answererTarget) : "";
  }

  input() {
    this.changed();
    this.typist.typed(Boolean(this.inputTarget.value));
    this.completion.update();
  }

  key(event) {
    if (isComposing(event)) return;
    const isSend = isSendKey(event, this.sendKey);
    if (this.completion.key(event, isSend)) return;
    if (isSend) this.send(event);
    else if (event.key === "ArrowUp" && !this.inputTarget.value && !event.altKey) {
      event.preventDefault();
      this.host?.editLast?.();
    }
  }

  async send(event) {
    event?.preventDefault();
    const content = this.inputTarget.value.trim();
    if (this.#isSending || (!content && this.files.isEmpty)) return;
    if (this.files.areUploading) return this.complain(t("uploads_pending"), () => !this.files.areUploading);
    if (this.files.haveFailed) return this.complain(t("uploads_failed"), () => !this.files.haveFailed);
    if (content.length > this.limitValue) return this.#offerFile();
    this.completion.close();
    this.complain("");
    const command = this.commandsUrlValue && this.files.isEmpty && commandIn(content);
    const written = { content, attachments: this.files.ids, ...this.named.in(content), ...standing(this.answerer), ...markIn(this.inputTarget.form) };
    const shown = { files: this.files.shown, references: this.named.said(content) };
    this.#isSending = true; // a second press before the answer is no second message
    try {
      if (await (command ? this.host.command(command) : this.host.post(written, shown))) this.#empty();
    } finally {
      this.#isSending = false;
    }
    return null;
  }

  /** What was written before, and not taken by the server, to be changed: in front of what is written now. */
  takeBack({ body: { content, sensitive }, files = [], references = [] }) {
    const { inputTarget: input } = this;
    input.value = [content, input.value].filter(Boolean).join("\n\n");
    if (sensitive && input.form.elements.sensitive) input.form.elements.sensitive.checked = true;
    references.forEach((each) => this.named.add(each));
    this.files.restore(files);
    input.focus();
    this.changed();
  }

  stop() {
    this.host.stop();
  }

  setRunning(isRunning) {
    this.isRunning = isRunning;
    if (this.hasInputTarget) this.#showButtons();
  }

  complain(text, isSettled = () => false) {
    this.#isSettled = isSettled;
    this.noticeTarget.replaceChildren(...(text ? [fill(clone("t-notice"), { text })] : []));
  }

  /** A command begins a message, a name may stand anywhere. */
  sign({ params: { sign } }) {
    if (sign !== "/" || !this.inputTarget.value) insertSign(this.inputTarget, sign);
    this.input();
  }

  /** The words stay where they are until the server has them as a file. */
  longToFile() {
    const { value: text } = this.inputTarget;
    this.complain("");
    this.files.add([new File([text], t("pasted_file"), { type: "text/plain" })], () => {
      if (this.inputTarget.value.startsWith(text)) this.inputTarget.value = this.inputTarget.value.slice(text.length).trimStart();
    });
    this.inputTarget.focus();
  }

  chosen({ detail: { model, agent, label, note } }) {
    this.#answerer = agent ? { agent } : { model };
    showAnswerer(this.answererTarget, label, note);
    this.inputTarget.focus();
  }

  changed() {
    const { length } = this.inputTarget.value;
    this.counterTarget.hidden = length < this.quietValue;
    this.counterTarget.textContent = number(length);
    const isOffered = length >= this.quietValue && !this.files.areUploading;
    if (this.hasToFileTarget) this.toFileTarget.hidden = !isOffered;
    if (this.#isSettled()) this.complain("");
    if (length > this.limitValue && isOffered) this.#offerFile();
    fit(this.inputTarget);
    this.draft.save();
    this.#showButtons();
  }

  #offerFile() {
    this.#isSettled = () => this.inputTarget.value.length <= this.limitValue;
    const text = t("over_limit", { count: this.inputTarget.value.length, limit: this.limitValue });
    this.noticeTarget.replaceChildren(fill(clone("t-too-long"), { text }));
  }

  /** Send turns into Stop in place while an answer is written and nothing else is. */
  #showButtons() {
    const isStop = Boolean(this.isRunning) && !this.inputTarget.value && this.files.isEmpty;
    showInPlaceOf(...(isStop ? [this.stopTarget, this.sendTarget] : [this.sendTarget, this.stopTarget]));
  }

  #empty() {
    this.inputTarget.value = "";
    this.files.clear();
    this.typist.stop();
    this.changed();
    this.draft.saveNow();
  }
}
