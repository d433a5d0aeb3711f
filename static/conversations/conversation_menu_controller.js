import { Controller } from "@hotwired/stimulus";

import { Actions } from "conversations/actions";
import { canOf } from "conversations/keys";
import { toast } from "core/toast";
import { t } from "core/words";

/** Menus and dialogs of the conversation page: of the conversation, and the one that all messages share. */
export default class extends Controller {
  static targets = ["menu", "messageMenu"];

  connect() {
    addEventListener("menu:chosen", this.#chosen);
    addEventListener("message:replaced", this.#replaced);
    this.messageMenuTarget.addEventListener("beforetoggle", this.#fit);
    const page = this.conversation;
    this.actions = new Actions({
      page: { id: page.idValue, api: page.apiValue, pageUrl: page.pageUrlValue, listUrl: page.listUrlValue, version: () => page.versionValue },
      changed: (conversation) => page.changed(conversation),
      failed: (error) => page.failed(error),
    });
  }

  disconnect() {
    removeEventListener("menu:chosen", this.#chosen);
    removeEventListener("message:replaced", this.#replaced);
    this.messageMenuTarget.removeEventListener("beforetoggle", this.#fit);
  }

  get conversation() {
    return this.application.getControllerForElementAndIdentifier(this.element, "conversation");
  }

  rename(event) {
    this.#close(event);
    this.actions.rename(event.target.elements.title.value.trim());
  }

  tag(event) {
    this.#close(event);
    const { value, defaultValue } = event.target.elements.tags;
    this.actions.tag(value, defaultValue);
  }

  delete() {
    this.actions.delete();
  }

  async seal() {
    if (await this.actions.markAll(true)) location.reload();
  }

  async unarchive() {
    if (await this.actions.archive(false)) location.reload();
  }

  /** A letter on a message: the first entry of its menu with that letter, of those that it would show. */
  choose(article, letter) {
    const { message, state } = article.dataset;
    const can = canOf(article.dataset);
    const fits = ({ dataset: { needs } }) => (needs ? can.includes(needs) : message && state !== "deleted");
    const item = [...this.messageMenuTarget.querySelectorAll(`[data-letter="${letter}"]`)].find(fits);
    if (!item) return toast(t("not_with_this"));
    this.messageMenuTarget.dataset.for = article.id;
    return item.click();
  }

  #close(event) {
    event.preventDefault();
    event.target.closest("dialog").close();
  }

  #chosen = async ({ target, detail }) => {
    if (target === this.messageMenuTarget && detail.do.endsWith("mark")) return this.#mark(detail.do === "mark");
    if (target === this.messageMenuTarget) return this.conversation.controllerOf(this.#article)?.chosen(detail.do);
    if (target !== this.menuTarget || "offer" in detail.item.dataset) return null;
    if (detail.do === "fork") return this.actions.fork();
    if (detail.do === "pin") return this.#pin(detail.item);
    if (detail.do === "unseal") return (await this.actions.markAll(false)) && location.reload();
    if (await this.actions.archive(detail.do === "archive")) location.reload();
    return null;
  };

  async #mark(isSensitive) {
    const { message } = this.#article.dataset;
    if (await this.actions.mark(`${this.conversation.messagesApiValue}${message}/`, isSensitive)) await this.conversation.session.reload();
  }

  async #pin(item) {
    const isPinned = item.dataset.pinned !== "true";
    const word = await this.actions.pin(isPinned);
    if (!word) return;
    item.dataset.pinned = String(isPinned);
    item.querySelector(".grow").textContent = word;
  }

  /** The message whose menu is open. */
  get #article() {
    return document.getElementById(this.messageMenuTarget.dataset.for ?? "");
  }

  /** The message whose menu is open came anew from the server: the menu stays, at the new one, with what can be done now. */
  #replaced = ({ target: article, detail }) => {
    const menu = this.messageMenuTarget;
    if (menu.dataset.for !== detail.was) return;
    menu.dataset.for = article.id;
    if (!menu.matches(":popover-open")) return;
    const source = article.querySelector(`[popovertarget="${menu.id}"]`);
    const focused = document.activeElement;
    menu.hidePopover();
    if (!source) return;
    menu.showPopover({ source });
    if (menu.contains(focused) && !focused.hidden) focused.focus();
  };

  #fit = ({ newState }) => {
    if (newState !== "open") return;
    const can = canOf(this.#article?.dataset ?? {});
    for (const item of this.messageMenuTarget.querySelectorAll("[data-needs]")) item.hidden = !can.includes(item.dataset.needs);
  };
}
