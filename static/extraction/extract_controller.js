import { Controller } from "@hotwired/stimulus";

import { placeOf, selectedIn } from "extraction/selecting";
import { post, request } from "core/http";
import { toast } from "core/toast";
import { t } from "core/words";

const API = "/api/v1/extractions/";

/** Asks for records: of a message or the words selected in it, of a file, of the whole conversation. What it started comes as a card. */
export default class extends Controller {
  #selected = null;

  connect() {
    addEventListener("menu:chosen", this.#chosen);
    document.addEventListener("pointerdown", this.#remember, { capture: true });
    this.element.addEventListener("click", this.#clicked);
  }

  disconnect() {
    removeEventListener("menu:chosen", this.#chosen);
    document.removeEventListener("pointerdown", this.#remember, { capture: true });
    this.element.removeEventListener("click", this.#clicked);
  }

  get page() {
    return this.application.getControllerForElementAndIdentifier(this.element, "conversation");
  }

  /** A click takes the selection away; what was selected when it began is what is meant. */
  #remember = ({ target }) => {
    const article = target.closest?.("article.message");
    if (target.closest?.("#message-menu")) return;
    this.#selected = article ? selectedIn(article) : null;
  };

  #chosen = ({ target, detail }) => {
    if (detail.do !== "extract") return;
    if (target.id === "conversation-menu") this.#ask({ conversation: this.page.idValue });
    if (target.id === "message-menu") this.#askAbout(document.getElementById(target.dataset.for ?? ""));
  };

  #clicked = ({ target }) => {
    const button = target.closest?.('button[data-offer="extract"][data-file]');
    if (button) this.#ask({ attachment: button.dataset.file });
  };

  async #askAbout(article) {
    if (!article) return;
    const { message } = article.dataset;
    const selected = selectedIn(article) ?? (this.#selected?.article === article.id ? this.#selected : null);
    this.#selected = null;
    if (!selected) return this.#ask({ message });
    const { content } = await request(`${this.page.messagesApiValue}${message}/`);
    const selection = placeOf(content, selected);
    if (!selection) return this.page.failed(new Error(t("selection_not_found")));
    return this.#ask({ message, selection });
  }

  async #ask(what) {
    try {
      await post(API, { project: this.page.projectValue, ...what });
      toast(t("being_read"));
    } catch (error) {
      this.page.failed(error);
    }
  }
}
