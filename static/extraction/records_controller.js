import { Controller } from "@hotwired/stimulus";

import { isEditable } from "core/dom";
import { announce } from "core/toast";
import { t } from "core/words";
import { CellEditor } from "extraction/cell_editor";

/** The table of a collection: one cell has the focus, arrows move it, Enter changes it. Rows are chosen with X or their box. */
export default class extends Controller {
  static targets = ["grid", "bar", "count"];
  static values = { columns: String, single: String };

  connect() {
    const panel = document.getElementById("cell-editor");
    if (panel) {
      this.editor = new CellEditor(panel, {
        look: "table",
        holder: (cell) => cell.closest("tr"),
        titleOf: (cell) => cell.closest("tr").querySelector(".name").textContent.trim(),
        columns: () => this.columnsValue.split(",").filter(Boolean),
        relation: (element) => element && this.application.getControllerForElementAndIdentifier(element, "relation"),
        saved: this.#saved,
        refreshed: this.#refreshed,
        goOn: this.#goOn,
      });
    }
    this.element.addEventListener("change", this.#changed);
    if (this.hasGridTarget) this.#enter();
  }

  disconnect() {
    this.element.removeEventListener("change", this.#changed);
  }

  get #rows() {
    return [...this.gridTarget.tBodies[0].rows];
  }

  /** What can be focused in a row: its cells but the box. */
  #cells(row) {
    return [...row.cells].filter((cell) => !cell.matches(".pick"));
  }

  #enter() {
    for (const row of this.#rows) this.#prepare(row);
    const first = this.#rows[0] && this.#cells(this.#rows[0])[0];
    if (first) first.tabIndex = 0;
  }

  #prepare(row) {
    for (const cell of this.#cells(row)) cell.tabIndex = -1;
    for (const inner of row.querySelectorAll("a, input")) inner.tabIndex = -1;
  }

  focused({ target }) {
    const cell = target.closest("td");
    if (!cell || cell.matches(".pick")) return;
    for (const other of this.gridTarget.querySelectorAll('td[tabindex="0"]')) other.tabIndex = -1;
    cell.tabIndex = 0;
  }

  key(event) {
    const cell = event.target.closest("td");
    if (!cell || isEditable(event.target) || event.altKey || event.metaKey) return;
    const row = cell.parentElement;
    const rows = this.#rows;
    // A card leaves out what is empty, so rows differ in what they show.
    const cells = this.#cells(row).filter((each) => each.checkVisibility());
    const [y, x] = [rows.indexOf(row), cells.indexOf(cell)];
    const forward = document.dir === "rtl" ? -1 : 1;
    const isSingle = this.singleValue === "on" && !event.ctrlKey && !event.shiftKey;
    const to = {
      ArrowRight: [y, x + forward],
      ArrowLeft: [y, x - forward],
      ArrowDown: [y + 1, x],
      ArrowUp: [y - 1, x],
      Home: [event.ctrlKey ? 0 : y, 0],
      End: [event.ctrlKey ? rows.length - 1 : y, cells.length - 1],
      PageDown: [Math.min(y + 10, rows.length - 1), x],
      PageUp: [Math.max(y - 10, 0), x],
      ...(isSingle && { j: [y + 1, x], k: [y - 1, x] }),
    }[event.key];
    if (to) {
      event.preventDefault();
      const next = rows[to[0]];
      if (next === row) cells[to[1]]?.focus();
      else if (next) beside(this.#cells(next), this.#cells(row).indexOf(to[1] === x ? cell : cells[to[1]])).focus();
    } else if (event.key === "Enter" || event.key === "F2") {
      event.preventDefault();
      if (event.key === "Enter" && cell.matches(".name")) cell.querySelector("a").click();
      else this.edit({ target: cell });
    } else if (event.key === " " || (isSingle && event.key === "x")) {
      event.preventDefault();
      row.querySelector(".tick")?.click();
    }
  }

  edit({ target }) {
    const cell = target.closest("td[data-field]");
    if (cell && !target.closest("a, input")) this.editor?.open(cell);
  }

  #saved = (cell, answer, [table], step) => {
    const row = cell.closest("tr");
    const fresh = this.#replace(row, table);
    const again = this.#cells(fresh)[this.#cells(row).indexOf(cell)];
    again.dataset.changed = "";
    announce(t("saved"));
    if (step) this.#goOn(again, step);
    else if (step === 0) again.focus();
  };

  #refreshed = (row, field, answer, [table]) => this.#replace(row, table).querySelector(`td[data-field="${CSS.escape(field)}"]`);

  /** Somebody else changed it: drawn anew in its place, and the focus stays where it was. */
  renew(row, table) {
    const place = this.#cells(row).indexOf(row.querySelector(":focus")?.closest("td"));
    const fresh = this.#replace(row, table);
    for (const cell of fresh.querySelectorAll("[data-field]")) {
      const before = row.querySelector(`[data-field="${CSS.escape(cell.dataset.field)}"]`);
      if (before && before.dataset.raw !== cell.dataset.raw) cell.dataset.changed = "";
    }
    if (place >= 0) this.#cells(fresh)[place]?.focus();
    else if (row.querySelector('td[tabindex="0"]')) this.#cells(fresh)[0].tabIndex = 0;
  }

  #replace(row, table) {
    const fresh = table.querySelector("tr");
    const isChosen = row.querySelector(".tick")?.checked;
    this.#prepare(fresh);
    row.replaceWith(fresh);
    if (isChosen) fresh.querySelector(".tick").checked = true;
    if (isChosen) this.#changed();
    return fresh;
  }

  /** To the next cell that can be changed, also of the next row. */
  #goOn = (cell, step) => {
    const all = [...this.gridTarget.querySelectorAll("td[data-field]")].filter((each) => each.checkVisibility());
    const next = all[all.indexOf(cell) + step];
    (next ?? cell).focus();
    if (next) this.editor.open(next);
  };

  // Chosen rows

  get #boxes() {
    return [...this.element.querySelectorAll('.tick[name="record"]')];
  }

  all({ target }) {
    for (const box of this.gridTarget.querySelectorAll('.tick[name="record"]')) box.checked = target.checked;
    this.#changed();
  }

  none() {
    for (const box of this.element.querySelectorAll(".tick")) box.checked = false;
    this.#changed();
  }

  #changed = () => {
    if (!this.hasBarTarget) return;
    let count = 0;
    for (const box of this.#boxes) {
      box.closest("tr")?.setAttribute("aria-selected", String(box.checked));
      count += box.checked ? 1 : 0;
    }
    this.barTarget.hidden = count === 0;
    this.countTarget.textContent = count;
  };
}

/** The cell at that place, or the nearest one before it that is shown. */
function beside(cells, place) {
  return cells.slice(0, place + 1).findLast((cell) => cell.checkVisibility()) ?? cells[0];
}
