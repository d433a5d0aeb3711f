import { Controller } from "@hotwired/stimulus";

import { clone, debounce } from "core/dom";
import { read, write } from "core/storage";

const STALE_MS = 800;
const BONES_MS = 200;
const FAILED = ["htmx:sendError", "htmx:responseError", "htmx:timeout"];
const STALE = ["context:stale", "talks:changed"];
const SOON = ["focusout", "htmx:afterSettle"]; // what may have kept it from being fetched again is over

/** Tabs of the context panel. htmx fills the panel; the last tab used is kept for each page. What is late or fails says so. */
export default class extends Controller {
  connect() {
    this.held = this.#tabs.find((tab) => tab.ariaSelected === "true");
    this.element.addEventListener("click", this.#clicked);
    this.element.addEventListener("keydown", this.#key);
    for (const name of STALE) addEventListener(name, this.#changed);
    this.element.addEventListener("htmx:beforeRequest", this.#asked);
    for (const name of SOON) this.#panel.addEventListener(name, this.#soon);
    addEventListener("context:show", this.#show);
    document.addEventListener("htmx:beforeSwap", this.#arrived);
    for (const name of FAILED) document.addEventListener(name, this.#failed);
    const kept = this.#tabs.find((tab) => tab.dataset.tab === read(this.#name));
    if (kept && kept.ariaSelected !== "true") queueMicrotask(() => kept.click());
  }

  disconnect() {
    this.element.removeEventListener("click", this.#clicked);
    this.element.removeEventListener("keydown", this.#key);
    for (const name of STALE) removeEventListener(name, this.#changed);
    this.element.removeEventListener("htmx:beforeRequest", this.#asked);
    for (const name of SOON) this.#panel.removeEventListener(name, this.#soon);
    removeEventListener("context:show", this.#show);
    document.removeEventListener("htmx:beforeSwap", this.#arrived);
    for (const name of FAILED) document.removeEventListener(name, this.#failed);
  }

  /** Totals have changed: the panel that shows them is fetched again, also when it was on its way and may not know of it. */
  #changed = () => {
    this.isStale = true;
    this.#soon();
  };

  #asked = () => {
    this.isStale = false;
  };

  /** Unless somebody is in it. */
  #soon = debounce(() => {
    const shown = this.#tabs.find((tab) => tab.ariaSelected === "true");
    if (this.isStale && shown?.dataset.tab === "details" && !this.#panel.querySelector(":focus")) shown.click();
  }, STALE_MS);

  /** What was asked for while another tab was chosen, by that tab or by what it showed, comes too late. */
  #arrived = ({ detail }) => {
    const asked = this.#tabs.find((tab) => tab.getAttribute("hx-get") === detail.pathInfo.requestPath);
    if (asked && asked.ariaSelected !== "true") detail.shouldSwap = false;
    else if (asked && detail.shouldSwap) this.#holds(asked);
  };

  /** What was asked for did not come: another tab's content must not stand under this one's name. */
  #failed = ({ detail }) => {
    const asked = this.#tabs.find((tab) => tab.getAttribute("hx-get") === detail.pathInfo?.requestPath);
    if (!asked || asked.ariaSelected !== "true" || this.held === asked) return;
    this.#holds(null);
    const state = clone("t-context-failed");
    state.querySelector("button").addEventListener("click", () => asked.click());
    this.#panel?.replaceChildren(state);
  };

  /** Something beside the conversation has begun elsewhere on the page. */
  #show = ({ detail }) => {
    const tab = this.#tabs.find((each) => each.dataset.tab === detail.tab);
    this.application.getControllerForElementAndIdentifier(document.body, "shell")?.openContext();
    tab?.click();
  };

  /** Whose content the panel shows; null while it is on its way, or did not come. */
  #holds(tab) {
    clearTimeout(this.bones);
    this.held = tab;
  }

  #wait() {
    this.#holds(null);
    this.#panel?.replaceChildren(clone("t-context-bones"));
  }

  get #panel() {
    return document.getElementById(this.#tabs[0]?.getAttribute("aria-controls"));
  }

  get #tabs() {
    return [...this.element.querySelectorAll('[role="tab"]')];
  }

  get #name() {
    return `tab:${location.pathname}`;
  }

  #clicked = ({ target }) => {
    const chosen = target.closest('[role="tab"]');
    if (!chosen) return;
    clearTimeout(this.bones);
    if (this.held !== chosen) this.bones = setTimeout(() => this.#wait(), BONES_MS);
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
