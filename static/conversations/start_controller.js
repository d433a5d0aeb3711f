import { Controller } from "@hotwired/stimulus";

import { newClientId, outbox } from "conversations/outbox";
import { clone, fill } from "core/dom";
import { Unreachable, post, request } from "core/http";
import { render } from "core/markup";
import { write } from "core/storage";
import { t } from "core/words";

const FIRST_WORDS = 120; // letters
const NO_ID = "00000000-0000-0000-0000-000000000000";

/** The welcome page: the first message makes the conversation and waits in the outbox of its page. */
export default class extends Controller {
  static targets = ["privacy", "reach", "step", "waiting"];
  static values = { conversationsUrl: String, pageUrl: String, project: String };
  #key = newClientId(); // a second try after a lost answer finds the conversation of the first
  #outboxEvents = new AbortController();

  connect() {
    const { signal } = this.#outboxEvents;
    outbox().addEventListener("begun", (event) => this.#begun(event.detail), { signal });
    for (const name of ["change", "refused"]) outbox().addEventListener(name, () => this.#showWaiting(), { signal });
    queueMicrotask(() => this.#showWaiting()); // the composer may connect after this
  }

  disconnect() {
    this.#outboxEvents.abort();
  }

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

  /** Without the server the outbox takes both steps. */
  async post(written, shown) {
    const body = { client_id: newClientId(), ...written };
    const { model, agent } = written;
    const begin = this.#beginning({ ...(model && { model }), ...(agent && { agent }) });
    try {
      const id = await this.#begin(begin);
      outbox().add({ url: `${begin.url}${id}/messages/`, conversation: id, ...shown, body });
      this.#open(id);
      return true;
    } catch (error) {
      if (!(error instanceof Unreachable)) {
        this.composer.complain(error.message);
        return false;
      }
      outbox().add({ begin, conversation: begin.key, ...shown, body });
      this.#key = newClientId();
      this.#showWaiting();
      return true;
    }
  }

  discard({ target }) {
    outbox().discard(target.closest("[data-client]").dataset.client);
  }

  /** Back to where it can be changed. */
  takeBack({ target }) {
    this.#takeBack(outbox().find(target.closest("[data-client]").dataset.client));
  }

  #takeBack(item) {
    if (!item) return; // another tab has taken it
    outbox().discard(item.body.client_id);
    this.composer.takeBack(item);
  }

  /**
   * First words that wait for the server. What it refused goes back to the composer; what it refused for another project is shown here too,
   * as that one may not open any more.
   */
  #showWaiting() {
    const canWrite = Boolean(this.composer?.hasInputTarget);
    const isOurs = ({ begin }) => begin.body.project === this.projectValue;
    const shown = outbox().items().filter((item) => item.begin && (item.refusal || isOurs(item)));
    const refused = canWrite && shown.find((item) => item.refusal && isOurs(item));
    if (refused) {
      this.#takeBack(refused);
      this.composer.complain(refused.refusal);
      return;
    }
    this.waitingTarget.replaceChildren(...shown.map(({ body, refusal }) => {
      const text = refusal ?? (navigator.onLine ? t("not_sent") : undefined);
      const note = fill(clone("t-waiting"), { words: body.content.slice(0, FIRST_WORDS), ...(text && { text }) });
      note.dataset.client = body.client_id;
      note.querySelector('[data-action="start#takeBack"]').hidden = !canWrite;
      return note;
    }));
  }

  /** Whoever writes something else meanwhile stays here. */
  #begun({ item }) {
    const isMine = this.waitingTarget.querySelector(`[data-client="${CSS.escape(item.body.client_id)}"]`);
    if (isMine && this.composer.isEmpty) this.#open(item.conversation);
    else this.#showWaiting();
    window.dispatchEvent(new CustomEvent("talks:changed"));
  }

  #open(id) {
    location.assign(this.pageUrlValue.replace(NO_ID, id));
  }

  /** What a command answers is shown where it was run: the list of commands here, the rest on the page of a new conversation. */
  async command({ name, arguments: words }) {
    try {
      const known = await request(this.composer.commandsUrlValue);
      if (name === "help") return this.#show(known);
      const refused = known.find((command) => command.name === name && !command.allowed);
      if (refused) throw new Error(refused.reason);
      const { model, agent } = this.composer.answerer;
      const id = await this.#begin(this.#beginning({ ...(model && { model }), ...(agent && { agent }) }));
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

  #beginning(choice) {
    const body = { project: this.projectValue, visibility: this.#visibility, ...choice };
    return { url: this.conversationsUrlValue, body, key: this.#key };
  }

  async #begin({ url, body, key }) {
    return (await post(url, body, { headers: { "idempotency-key": key } })).id;
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
