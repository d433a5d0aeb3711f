import { Controller } from "@hotwired/stimulus";

import { debounce } from "core/dom";
import { read, write } from "core/storage";

const STALE_MS = 800;

/** Tabs of the context panel. htmx fills the panel; the last tab used is kept for each page. */
export default class extends Controller {
  connect() {
    this.element.addEventListener("click", this.#clicked);
    this.element.addEventListener("keydown", this.#key);
    addEventListener("context:stale", this.#stale);
    document.addEventListener("htmx:beforeSwap", this.#arrived);
    const kept = this.#tabs.find((tab) => tab.dataset.tab === read(this.#name));
    if (kept && kept.ariaSelected !== "true") queueMicrotask(() => kept.click());
  }

  disconnect() {
    this.element.removeEventListener("click", this.#clicked);
    this.element.removeEventListener("keydown", this.#key);
    removeEventListener("context:stale", this.#stale);
    document.removeEventListener("htmx:beforeSwap", this.#arrived);
  }

  /** Totals have changed: the panel that shows them is fetched again, unless somebody is in it. */
  #stale = debounce(() => {
    const shown = this.#tabs.find((tab) => tab.ariaSelected === "true");
    const panel = document.getElementById(shown?.getAttribute("aria-controls"));
    if (shown?.dataset.tab === "details" && panel.checkVisibility() && !panel.contains(document.activeElement)) shown.click();
  }, STALE_MS);

  /** What was asked for while another tab was chosen, by that tab or by what it showed, comes too late. */
  #arrived = ({ detail }) => {
    const asked = this.#tabs.find((tab) => tab.getAttribute("hx-get") === detail.pathInfo.requestPath);
    if (asked && asked.ariaSelected !== "true") detail.shouldSwap = false;
  };

  get #tabs() {
    return [...this.element.querySelectorAll('[role="tab"]')];
  }

  get #name() {
    return `tab:${location.pathname}`;
  }

  #clicked = ({ target }) => {
    const chosen = target.closest('[role="tab"]');
    if (!chosen) return;
    for (const tab of this.#tabs) {
      tab.setAttribute("aria-selected", String(tab === chosen));
      tab.tabIndex = tab === chosen ? 0 : -1;
    }
    document.getElementById(chosen.getAttribute("aria-controls"))?.setAttribute("aria-labelledby", chosen.id);
    write(this.#name, chosen.dataset.tab);
  };

  #key = (event) => {
    const tabs = this.#tabs;
    const at = tabs.indexOf(document.activeElement);
    const forward = document.dir === "rtl" ? -1 : 1;
    const step = { ArrowRight: forward, ArrowLeft: -forward }[event.key];
    const target = { Home: tabs[0], End: tabs.at(-1) }[event.key] ?? (step && tabs[(at + step + tabs.length) % tabs.length]);
    if (!target || at < 0) return;
    event.preventDefault();
    target.focus();
    target.click();
  };
}
