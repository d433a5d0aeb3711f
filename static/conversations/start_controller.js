import { Controller } from "@hotwired/stimulus";

import { newClientId, outbox } from "conversations/outbox";
import { post } from "core/http";

const NO_ID = "00000000-0000-0000-0000-000000000000";

/** The welcome page: the first message makes the conversation and waits in the outbox of its page. */
export default class extends Controller {
  static values = { conversationsUrl: String, pageUrl: String, project: String };
  #key = crypto.randomUUID(); // a second try after a lost answer finds the conversation of the first

  get composer() {
    const dock = this.element.querySelector('[data-controller~="composer"]');
    return this.application.getControllerForElementAndIdentifier(dock, "composer");
  }

  async post(written, files) {
    try {
      const { model, agent } = written;
      const body = { project: this.projectValue, ...(model && { model }), ...(agent && { agent }) };
      const { id } = await post(this.conversationsUrlValue, body, { headers: { "idempotency-key": this.#key } });
      const url = `${this.conversationsUrlValue}${id}/messages/`;
      outbox().add({ url, conversation: id, files, body: { client_id: newClientId(), ...written } });
      location.assign(this.pageUrlValue.replace(NO_ID, id));
      return true;
    } catch (error) {
      this.composer.complain(error.message);
      return false;
    }
  }

  suggest({ currentTarget: { dataset } }) {
    const { inputTarget } = this.composer;
    inputTarget.value = dataset.text ?? "";
    inputTarget.focus();
    this.composer.input();
    if ("attach" in dataset) this.application.getControllerForElementAndIdentifier(this.composer.element, "files").open();
  }
}
