import { Controller } from "@hotwired/stimulus";

import { newClientId, outbox } from "conversations/outbox";
import { clone } from "core/dom";
import { post, request } from "core/http";
import { render } from "core/markup";
import { write } from "core/storage";

const NO_ID = "00000000-0000-0000-0000-000000000000";

/** The welcome page: the first message makes the conversation and waits in the outbox of its page. */
export default class extends Controller {
  static targets = ["privacy", "reach", "step"];
  static values = { conversationsUrl: String, pageUrl: String, project: String };
  #key = newClientId(); // a second try after a lost answer finds the conversation of the first

  get composer() {
    const dock = this.element.querySelector('[data-controller~="composer"]');
    return this.application.getControllerForElementAndIdentifier(dock, "composer");
  }

  get #visibility() {
    return this.hasPrivacyTarget && this.privacyTarget.ariaPressed === "true" ? "private" : "project";
  }

  /** Before the first word: a conversation that is made private later was seen by all until then. */
  choosePrivacy() {
    this.privacyTarget.ariaPressed = String(this.#visibility !== "private");
    for (const reach of this.reachTargets) reach.hidden = reach.dataset.visibility !== this.#visibility;
    this.#key = newClientId(); // another choice is another request
  }

  async post(written, shown) {
    try {
      const { model, agent } = written;
      const id = await this.#begin({ ...(model && { model }), ...(agent && { agent }) });
      const url = `${this.conversationsUrlValue}${id}/messages/`;
      outbox().add({ url, conversation: id, ...shown, body: { client_id: newClientId(), ...written } });
      location.assign(this.pageUrlValue.replace(NO_ID, id));
      return true;
    } catch (error) {
      this.composer.complain(error.message);
      return false;
    }
  }

  /** What a command answers is shown where it was run: the list of commands here, the rest on the page of a new conversation. */
  async command({ name, arguments: words }) {
    try {
      const known = await request(this.composer.commandsUrlValue);
      if (name === "help") return this.#show(known);
      const refused = known.find((command) => command.name === name && !command.allowed);
      if (refused) throw new Error(refused.reason);
      const { model, agent } = this.composer.answerer;
      const id = await this.#begin({ ...(model && { model }), ...(agent && { agent }) });
      const { notice, data } = await post(`${this.conversationsUrlValue}${id}/commands/`, { name, arguments: words });
      write("note", notice ? { conversation: id, notice, command: name } : null);
      const page = this.pageUrlValue.replace(NO_ID, id);
      if (data?.tab) write(`tab:${page}`, data.tab);
      location.assign(page);
      return true;
    } catch (error) {
      this.composer.complain(error.message);
      return false;
    }
  }

  async #begin(choice) {
    const body = { project: this.projectValue, visibility: this.#visibility, ...choice };
    return (await post(this.conversationsUrlValue, body, { headers: { "idempotency-key": this.#key } })).id;
  }

  #show(commands) {
    const lines = commands.map((command) => `- \`/${command.name}\` ${command.arguments} — ${command.help}`.replace("  ", " "));
    const note = clone("t-answer-only");
    note.querySelector("button").remove();
    note.querySelector('[data-slot="text"]').append(render(lines.join("\n")));
    this.composer.noticeTarget.replaceChildren(note);
    return true;
  }

  /** What was typed stays; the words of another step do not. */
  suggest({ currentTarget: { dataset } }) {
    const { inputTarget } = this.composer;
    const isTyped = !this.stepTargets.some((step) => step.dataset.text === inputTarget.value);
    if (!inputTarget.value || !isTyped) inputTarget.value = dataset.text ?? "";
    inputTarget.focus();
    this.composer.input();
    if ("attach" in dataset) this.application.getControllerForElementAndIdentifier(this.composer.element, "files").open();
  }
}
