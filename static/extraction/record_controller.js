import { Controller } from "@hotwired/stimulus";

import { announce } from "core/toast";
import { t } from "core/words";
import { CellEditor } from "extraction/cell_editor";

/** The page of one record: fields are changed where they stand, and the words behind a value are shown with it. */
export default class extends Controller {
  static targets = ["source"];

  connect() {
    const panel = document.getElementById("cell-editor");
    if (!panel) return;
    this.editor = new CellEditor(panel, {
      look: "record",
      holder: (cell) => cell.closest("[data-record]"),
      titleOf: () => this.#title.textContent.trim(),
      columns: (cell) => [cell.dataset.field],
      relation: (element) => element && this.application.getControllerForElementAndIdentifier(element, "relation"),
      saved: (cell, answer, found, step) => this.#saved(cell, answer, found, step),
      refreshed: (holder, field, answer, found) => {
        const cell = this.element.querySelector(`dd[data-field="${CSS.escape(field)}"]`);
        this.#draw(cell, answer, found);
        return cell;
      },
      goOn: (cell, step) => this.#goOn(cell, step),
    });
  }

  get #title() {
    return document.querySelector("h1");
  }

  edit({ target }) {
    this.editor?.open(target.closest("[data-row]").querySelector("dd[data-field]"));
  }

  /** The other side of a footnote is marked too. */
  show({ currentTarget }) {
    const wanted = currentTarget.getAttribute("href").slice(1);
    for (const row of this.element.querySelectorAll("[data-row]")) {
      if (row.contains(currentTarget)) row.setAttribute("aria-current", "true");
      else row.removeAttribute("aria-current");
    }
    for (const source of this.sourceTargets) {
      if (source.id === wanted) source.setAttribute("aria-current", "true");
      else source.removeAttribute("aria-current");
    }
  }

  #saved(cell, answer, found, step) {
    this.#draw(cell, answer, found);
    announce(t("saved"));
    if (step) this.#goOn(cell, step);
    else if (step === 0) cell.closest("[data-row]").querySelector("button")?.focus();
  }

  #draw(cell, { version, title }, [drawn]) {
    cell.closest("[data-record]").dataset.version = version;
    cell.dataset.raw = drawn.dataset.raw;
    cell.replaceChildren(...drawn.childNodes);
    cell.dataset.changed = "";
    // The words no longer say what stands here now.
    cell.closest("[data-row]").querySelector(".from")?.replaceChildren();
    this.#title.textContent = title || "—";
  }

  #goOn(cell, step) {
    const all = [...this.element.querySelectorAll("dd[data-field]")];
    const next = all[all.indexOf(cell) + step];
    if (next) this.editor.open(next);
    else cell.closest("[data-row]").querySelector("button")?.focus();
  }
}
