import { Controller } from "@hotwired/stimulus";

import { debounce, isComposing } from "core/dom";
import { fetchElements } from "core/http";
import { Listbox } from "core/listbox";
import { t } from "core/words";
import { setTheme } from "web/theme";

const WAIT_MS = 120;

/** Search or jump: the server answers with options, each a place to go (`data-href`) or a thing to do (`data-command`). */
export default class extends Controller {
  static targets = ["input", "list", "status"];
  static values = { url: String };

  connect() {
    this.listbox = new Listbox(this.inputTarget, this.listTarget);
    this.search = debounce(() => this.#load(), WAIT_MS);
  }

  open() {
    if (this.element.open) return this.element.close();
    this.inputTarget.value = "";
    this.element.showModal();
    this.#load();
  }

  search() {} // replaced in connect, named here for Stimulus

  move(event) {
    if (this.listbox.move(event) || isComposing(event) || !["Enter", "Escape"].includes(event.key)) return;
    event.preventDefault();
    if (event.key === "Enter") this.#take(this.listbox.active);
    else this.element.close(); // a search field would take the first Esc for itself
  }

  choose({ target }) {
    this.#take(target.closest('[role="option"]'));
  }

  async #load() {
    this.request?.abort();
    this.request = new AbortController();
    const query = this.inputTarget.value.trim();
    const current = document.body.dataset.conversationIdValue ?? "";
    try {
      const found = await fetchElements(`${this.urlValue}?${new URLSearchParams({ q: query, current })}`, this.request);
      this.listTarget.replaceChildren(...(found ?? []));
      this.listbox.first();
      this.statusTarget.textContent = t("results", { count: this.listbox.options.length });
    } catch (error) {
      if (error.name !== "AbortError") this.statusTarget.textContent = error.message;
    }
  }

  #take(option) {
    if (!option || option.ariaDisabled === "true") return;
    this.element.close();
    const { href, command } = option.dataset;
    if (href) location.assign(href);
    else if (command?.startsWith("theme-")) setTheme(command.slice("theme-".length));
    else if (command === "new-conversation") location.assign("/");
    else if (command === "keys") document.getElementById("keys").showModal();
    else if (command === "sign-out") document.querySelector('#me-menu form[action*="logout"]')?.requestSubmit();
    else if (command) this.dispatch("command", { prefix: "palette", detail: { command } });
  }
}
