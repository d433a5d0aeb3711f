import { Controller } from "@hotwired/stimulus";

import { read, write } from "core/storage";

const CONTEXT_FITS = matchMedia("(min-width: 80rem)");
const PANES = ["#sidebar", "#main", "#context"];
const FOCUSABLE = 'a[href], button:not([disabled]), input, textarea, select, [tabindex="0"]';

/** The three panes: drawers when narrow, F6 goes round, the context panel can be put away when wide. */
export default class extends Controller {
  connect() {
    if (read("context") === "closed") this.element.dataset.context = "closed";
    for (const drawer of this.element.querySelectorAll("#sidebar, #context")) drawer.addEventListener("toggle", this.#drawerToggled);
    // Browsers without invoker commands: the same buttons, by hand.
    if (!("commandForElement" in HTMLButtonElement.prototype)) this.element.addEventListener("click", this.#invoke);
  }

  openPalette() {
    this.#controller("palette")?.open();
  }

  toggleContext(event) {
    const panel = document.getElementById("context");
    if (!panel) return;
    if (!CONTEXT_FITS.matches) {
      if (!event) panel.togglePopover();
      return; // the button's own popovertarget does it
    }
    event?.preventDefault();
    const isClosed = this.element.dataset.context === "closed";
    if (isClosed) delete this.element.dataset.context;
    else this.element.dataset.context = "closed";
    write("context", isClosed ? null : "closed");
  }

  /** Wherever it is put away. */
  openContext() {
    const panel = document.getElementById("context");
    if (CONTEXT_FITS.matches) {
      if (this.element.dataset.context === "closed") this.toggleContext();
    } else if (panel && !panel.matches(":popover-open")) panel.showPopover();
  }

  nextPane(step) {
    const panes = PANES.map((selector) => document.querySelector(selector)).filter((pane) => pane?.checkVisibility());
    const at = panes.findIndex((pane) => pane.contains(document.activeElement));
    const pane = panes[(at + step + panes.length) % panes.length];
    const first = pane.id === "main" ? pane.querySelector("#draft") : pane.querySelector('[aria-current="page"], [aria-selected="true"]');
    const target = first?.checkVisibility() ? first : [...pane.querySelectorAll(FOCUSABLE)].find((each) => each.checkVisibility());
    target?.focus();
  }

  /** An open drawer covers the page: nothing behind it may be reached by Tab or by a screen reader. */
  #drawerToggled = ({ target, newState }) => {
    for (const selector of PANES) {
      const pane = document.querySelector(selector);
      if (pane && pane !== target) pane.inert = newState === "open";
    }
  };

  #invoke = ({ target }) => {
    const button = target.closest("button[commandfor]");
    const dialog = button && document.getElementById(button.getAttribute("commandfor"));
    if (dialog && button.getAttribute("command") === "show-modal") dialog.showModal();
    if (dialog && button.getAttribute("command") === "close") dialog.close();
  };

  #controller(name) {
    return this.application.getControllerForElementAndIdentifier(document.getElementById(name), name);
  }
}
