import { Controller } from "@hotwired/stimulus";

import { isEditable } from "core/dom";
import { announce } from "core/toast";
import { t } from "core/words";
import { CellEditor } from "extraction/cell_editor";
import { beside, Picks, wayOf } from "extraction/grid";

/** The table of a collection: one cell has the focus, arrows move it, Enter changes it. Rows are chosen with X or their box. */
export default class extends Controller {
  static targets = ["grid", "bar", "count", "every"];
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
    this.picks = new Picks(this.element, this.hasBarTarget && { bar: this.barTarget, count: this.countTarget, every: this.hasEveryTarget && this.everyTarget });
    if (this.hasGridTarget) this.#enter();
  }

  disconnect() {
    this.picks.disconnect();
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
    const isSingle = this.singleValue === "on" && !event.ctrlKey && !event.shiftKey;
    const to = wayOf(event, { y: rows.indexOf(row), x: cells.indexOf(cell), lastRow: rows.length - 1, lastCell: cells.length - 1, isSingle });
    if (to) {
      event.preventDefault();
      const next = rows[to[0]];
      if (next === row) cells[to[1]]?.focus();
      else if (next) beside(this.#cells(next), this.#cells(row).indexOf(cells[to[1]] ?? cell)).focus();
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
    if (isChosen) this.picks.changed();
    return fresh;
  }

  /** To the next cell that can be changed, also of the next row. */
  #goOn = (cell, step) => {
    const all = [...this.gridTarget.querySelectorAll("td[data-field]")].filter((each) => each.checkVisibility());
    const next = all[all.indexOf(cell) + step];
    (next ?? cell).focus();
    if (next) this.editor.open(next);
  };

  all({ target }) {
    this.picks.all(target.checked);
  }

  every() {
    this.picks.every();
  }

  none() {
    this.picks.none();
  }
}
