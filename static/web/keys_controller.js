import { Controller } from "@hotwired/stimulus";

import { isComposing, isEditable } from "core/dom";

const IS_MAC = /Mac|iPhone|iPad/.test(navigator.platform);
const SIGNS = { Mod: "⌘", Alt: "⌥", Shift: "⇧" };

/** Option writes letters on a Mac (ñ, ã, ń): there it belongs to who is writing. */
const isWriting = (target) => IS_MAC && isEditable(target);

/** Keys that work on every page. Keys of a conversation are in conversations/keys; none here belongs to the browser. */
export default class extends Controller {
  connect() {
    this.element.addEventListener("keydown", this.#pressed);
    if (IS_MAC) this.#writeMacSigns();
  }

  disconnect() {
    this.element.removeEventListener("keydown", this.#pressed);
  }

  #pressed = (event) => {
    const action = this.#actionOf(event);
    if (!action || event.defaultPrevented || isComposing(event)) return;
    event.preventDefault();
    action();
  };

  #actionOf(event) {
    const hasMod = (IS_MAC ? event.metaKey && !event.ctrlKey : event.ctrlKey && !event.metaKey) && !event.altKey && !event.shiftKey;
    const isPlain = !event.metaKey && !event.ctrlKey && !event.altKey;
    if (event.key === "F6" && isPlain) return () => this.#shell.nextPane(event.shiftKey ? -1 : 1);
    if (hasMod && event.key === "k") return () => this.#shell.openPalette();
    if (hasMod && event.key === "/") return () => this.#toggleList();
    if (hasMod && event.key === ".") return () => this.#shell.toggleContext();
    if (event.altKey && !event.ctrlKey && !event.metaKey && event.code === "KeyN" && !isWriting(event.target)) return () => this.#newConversation();
    if (event.key === "?" && isPlain && !isEditable(event.target) && this.#hasSingleKeys) return () => this.#toggleList();
    return null;
  }

  get #shell() {
    return this.application.getControllerForElementAndIdentifier(this.element, "shell");
  }

  get #hasSingleKeys() {
    return this.element.dataset.singleKeys !== "off";
  }

  #toggleList() {
    const dialog = document.getElementById("keys");
    if (dialog.open) dialog.close();
    else dialog.showModal();
  }

  #newConversation() {
    location.assign(document.querySelector(".me a.tool")?.href ?? "/");
  }

  #writeMacSigns() {
    for (const key of document.querySelectorAll("kbd[data-keys]")) {
      key.textContent = key.dataset.keys.split(" ").map((name) => SIGNS[name] ?? name).join(" ");
    }
  }
}
