import { Controller } from "@hotwired/stimulus";

import { isSendKey, standing } from "conversations/composer";
import { closeEditor, openEditor, writtenIn } from "conversations/editor";
import { outbox } from "conversations/outbox";
import { wish } from "conversations/wishes";
import { copyText } from "core/clipboard";
import { isComposing, slot } from "core/dom";
import { post, request } from "core/http";
import { toast } from "core/toast";
import { t } from "core/words";

/** What one does with one message. Words of a message are read again from the server when they are copied or edited. */
export default class extends Controller {
  get id() {
    return this.element.dataset.message;
  }

  get page() {
    return this.application.getControllerForElementAndIdentifier(document.body, "conversation");
  }

  get url() {
    return `${this.page.messagesApiValue}${this.id}/`;
  }

  chosen(what) {
    if (what === "copy-link") this.copyLink();
    else if (["copy", "delete", "edit", "fork", "retry"].includes(what)) this[what]();
  }

  more() {
    document.getElementById("message-menu").dataset.for = this.element.id;
  }

  copy() {
    return this.#try(async () => {
      const { content } = await request(this.url);
      await this.#copyText(content);
    });
  }

  copyLink() {
    return this.#copyText(`${location.origin}${location.pathname}?message=${this.id}`, "link_copied");
  }

  /** What is asked for anew when more of it, or another one beside it, has come. */
  get #seen() {
    const leaves = [...this.element.querySelectorAll("[data-leaf]")].map((button) => button.dataset.leaf);
    return [this.element.querySelector(".prose")?.textContent.length, ...leaves].join(" ");
  }

  retry() {
    return this.#try(async () => {
      const accepted = await wish(`${this.url}regenerate/`, this.#seen, this.page.composer?.answerer);
      await this.page.session.began(accepted);
    });
  }

  continue() {
    return this.#try(async () => {
      const accepted = await wish(`${this.url}continue/`, this.#seen);
      await this.page.thread.refresh(this.id);
      this.page.session.accepted(accepted);
    });
  }

  /** Not one of the things of which there is one at a time: whoever closes the editor at once may open it again at once. */
  edit() {
    return openEditor(this.element, request(this.url), this.page.composer?.referencesUrlValue).catch((error) => this.page.failed(error));
  }

  saveEdit(event) {
    event.preventDefault();
    const { value: content, readOnly: isLoading } = slot(event.target, "input");
    if (isLoading || !content.trim()) return null;
    return this.#try(async () => {
      const accepted = await post(`${this.url}edit/`, writtenIn(event.target, content, standing(this.page.composer?.answerer)));
      await this.page.session.began(accepted);
      this.page.follow.toEnd();
      document.getElementById("draft")?.focus();
    });
  }

  cancelEdit() {
    closeEditor(this.element);
  }

  editKey(event) {
    if (isComposing(event)) return;
    const isSend = isSendKey(event, "mod-enter");
    if (!isSend && event.key !== "Escape") return;
    event.preventDefault();
    event.stopPropagation();
    if (isSend) event.target.form.requestSubmit();
    else this.cancelEdit();
  }

  sibling({ currentTarget: button }) {
    const { parent = "" } = this.element.dataset;
    return this.#try(async () => {
      await this.page.session.choose(button.dataset.leaf);
      this.page.thread.focusSibling(parent, button.getAttribute("aria-label"));
    });
  }

  delete() {
    return this.#try(async () => {
      await request(this.url, { method: "DELETE" });
      await this.page.thread.refresh(this.id);
      toast(t("message_deleted"), { label: t("undo"), run: () => this.#restore(this.page, this.url, this.id) });
    });
  }

  restore() {
    return this.#restore(this.page, this.url, this.id);
  }

  fork() {
    this.application.getControllerForElementAndIdentifier(document.body, "conversation-menu").actions.fork(this.id);
  }

  discard() {
    outbox().discard(this.element.dataset.client);
    this.element.remove();
  }

  /** What was refused goes back to where it can be changed; nowhere to write, it can be copied at least. */
  takeBack() {
    const { composer } = this.page;
    const item = outbox().find(this.element.dataset.client);
    if (!item) return this.element.remove(); // another tab has taken it
    if (!composer?.hasInputTarget) return this.#copyText(item.body.content);
    this.discard();
    return composer.takeBack(item);
  }

  resend() {
    outbox().retry(this.element.dataset.client);
    this.element.querySelector(".notice")?.remove();
    this.element.dataset.state = "sending";
    slot(this.element, "meta").hidden = false;
  }

  /** Apart from `this`: the article that was deleted is another element by now. */
  #restore(page, url, id) {
    return this.#try(async () => {
      await post(`${url}restore/`);
      await page.thread.refresh(id);
    });
  }

  async #copyText(text, word) {
    if (!(await copyText(text, word))) this.page.failed(new Error(t("copy_failed")));
    else if (word) toast(t(word));
  }

  /** One thing at a time: a second click while the first is on its way would make a second answer. */
  async #try(action) {
    if (this.isBusy) return;
    this.isBusy = true;
    await action().catch((error) => this.page.failed(error));
    this.isBusy = false;
  }
}
