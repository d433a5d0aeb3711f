// One field of a record changed where it stands: a small panel over the value. The table and the page of a record share it.

import { elementsOf, isComposing, slot } from "core/dom";
import { Problem, Unreachable, request } from "core/http";
import { t } from "core/words";

const MULTILINE = new Set(["long_text", "list", "json"]);

/**
 * `cell` carries `data-field` and `data-raw`; `holder(cell)` is the element with `data-record` and `data-version`.
 * `saved(cell, html, step)` puts what the server drew in its place; `step` says where the hand goes on: -1, 0, 1.
 */
export class CellEditor {
  #panel;
  #cell = null;
  #options;
  #version = null;
  #isBusy = false;

  constructor(panel, options) {
    this.#panel = panel;
    this.#options = options;
    this.form = panel.querySelector("form");
    this.form.addEventListener("submit", this.#submitted);
    this.form.addEventListener("keydown", this.#pressed);
    panel.querySelector('[data-act="theirs"]').addEventListener("click", () => this.close());
    panel.addEventListener("focusout", this.#left);
  }

  get isOpen() {
    return this.#cell !== null;
  }

  open(cell) {
    const template = document.querySelector(`template[data-editor="${CSS.escape(cell.dataset.field)}"]`);
    if (!template || this.#isBusy) return;
    if (this.#cell) this.close({ stays: true });
    this.#cell = cell;
    this.#version = this.#holder.dataset.version;
    this.kind = template.dataset.kind;
    const control = template.content.firstElementChild.cloneNode(true);
    slot(this.#panel, "control").replaceChildren(...control.childNodes);
    this.#tell("");
    this.#decides(false);
    slot(this.#panel, "save").textContent = MULTILINE.has(this.kind) ? "Ctrl ↵" : "↵";
    cell.classList.add("editing");
    this.#panel.showPopover();
    const field = this.#field;
    field.setAttribute("aria-label", t("field_of", { field: template.dataset.title, title: this.#options.titleOf(cell) }));
    this.#fill(cell);
    field.focus();
    field.select?.();
  }

  close({ stays = false } = {}) {
    const cell = this.#cell;
    if (!cell) return;
    this.#cell = null;
    cell.classList.remove("editing");
    if (this.#panel.matches(":popover-open")) this.#panel.hidePopover();
    if (!stays) cell.focus();
  }

  get #holder() {
    return this.#options.holder(this.#cell);
  }

  get #field() {
    return this.form.querySelector('[role="combobox"], [name="value"]:not([type="hidden"])');
  }

  #fill(cell) {
    const { raw } = cell.dataset;
    const hidden = this.form.querySelector('[name="value"][type="hidden"]');
    if (hidden) {
      const links = [...cell.querySelectorAll(".record-chip")];
      const ids = raw.split("\n").filter(Boolean);
      hidden.value = raw;
      const chips = ids.map((id, place) => ({ id, text: (links[place]?.textContent ?? id).replace(/^#/, "") }));
      queueMicrotask(() => this.#options.relation(hidden.closest(".relation"))?.fill(chips));
    } else if (this.#field.multiple) {
      const chosen = raw.split("\n");
      for (const option of this.#field.options) option.selected = chosen.includes(option.value);
    } else {
      this.#field.value = raw;
    }
  }

  get #values() {
    return new FormData(this.form).getAll("value");
  }

  #pressed = (event) => {
    if (event.defaultPrevented || isComposing(event)) return;
    if (event.key === "Escape") {
      event.preventDefault();
      event.stopPropagation();
      this.close();
    } else if (event.key === "Tab" && event.target === this.#field && slot(this.#panel, "conflict").hidden) {
      event.preventDefault();
      this.save(event.shiftKey ? -1 : 1);
    } else if (event.key === "Enter" && event.target === this.#field && (!MULTILINE.has(this.kind) || event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      this.save(0);
    }
  };

  #submitted = (event) => {
    event.preventDefault();
    this.save(0);
  };

  /** Whoever clicks elsewhere has finished: what was typed is kept, unless there is something to decide. */
  #left = ({ relatedTarget }) => {
    if (!this.#cell || this.#isBusy || this.#panel.contains(relatedTarget) || !document.hasFocus()) return;
    if (!slot(this.#panel, "conflict").hidden || !slot(this.#panel, "problem").hidden) return;
    this.save(null);
  };

  async save(step) {
    const cell = this.#cell;
    if (!cell || this.#isBusy) return;
    const values = this.#values;
    if (values.join("\n") === cell.dataset.raw && slot(this.#panel, "conflict").hidden) {
      this.close({ stays: step === null });
      if (step) this.#options.goOn(cell, step);
      return;
    }
    const holder = this.#holder;
    const url = `/record/${holder.dataset.record}/cell/`;
    this.#isBusy = true;
    this.form.setAttribute("aria-busy", "true");
    try {
      const { columns, look } = this.#options;
      const body = { field: cell.dataset.field, values, version: Number(this.#version), columns: columns(cell), look };
      const answer = await request(url, { method: "POST", body });
      this.#isBusy = false; // the hand may go on to the next one
      this.close({ stays: true });
      this.#options.saved(cell, answer, elementsOf(answer.html), step);
    } catch (error) {
      if (error instanceof Problem && error.code === "version_mismatch") await this.#conflict(url, holder);
      else if (error instanceof Problem || error instanceof Unreachable) this.#tell(error.errors?.[0]?.detail ?? error.message);
      else throw error;
    } finally {
      this.#isBusy = false;
      this.form.removeAttribute("aria-busy");
    }
  }

  /** The row is shown as it is now; what was typed waits for a decision. */
  async #conflict(url, holder) {
    const { field } = this.#cell.dataset;
    const query = new URLSearchParams({ look: this.#options.look });
    for (const name of this.#options.columns(this.#cell)) query.append("column", name);
    try {
      const answer = await request(`${url}?${query}`);
      this.#cell.classList.remove("editing");
      this.#cell = this.#options.refreshed(holder, field, answer, elementsOf(answer.html));
      this.#cell.classList.add("editing");
      // The panel stands at what was drawn anew.
      this.#panel.hidePopover();
      this.#panel.showPopover();
      this.#version = answer.version;
      slot(this.#panel, "theirs").textContent = this.#cell.textContent.trim();
      this.#decides(true);
      this.#panel.querySelector('[data-act="theirs"]').focus();
    } catch (error) {
      this.#tell(error.message);
    }
  }

  /** While there is something to decide the keys are those of its two buttons. */
  #decides(isOn) {
    slot(this.#panel, "conflict").hidden = !isOn;
    slot(this.#panel, "help").hidden = isOn;
  }

  #tell(text) {
    const problem = slot(this.#panel, "problem");
    problem.textContent = text;
    problem.hidden = !text;
    this.#field?.toggleAttribute("aria-invalid", Boolean(text));
    if (text) this.#field.focus();
  }
}
