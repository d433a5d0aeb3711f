import { Controller } from "@hotwired/stimulus";

import { clone } from "core/dom";
import { announce } from "core/toast";
import { t } from "core/words";

/** The fields of a collection: lines that are added, moved and taken away. What they say is read by the server. */
export default class extends Controller {
  static targets = ["lines", "line"];

  add() {
    const key = `n${Date.now().toString(36)}`;
    const line = clone("t-line");
    for (const element of line.querySelectorAll("[id], [name], [for], [aria-describedby]")) {
      for (const name of ["id", "name", "for", "aria-describedby"]) {
        const value = element.getAttribute(name);
        if (value?.startsWith("f-new-")) element.setAttribute(name, value.replace("f-new-", `f-${key}-`));
      }
    }
    line.querySelector('[name="row"]').value = key;
    this.linesTarget.append(line);
    line.querySelector("input:not([type=hidden])").focus();
  }

  kind({ target }) {
    target.closest(".line").dataset.kind = target.value;
  }

  up({ target }) {
    const line = target.closest(".line");
    line.previousElementSibling?.before(line);
    this.#stay(target);
  }

  down({ target }) {
    const line = target.closest(".line");
    line.nextElementSibling?.after(line);
    this.#stay(target);
  }

  remove({ target }) {
    const line = target.closest(".line");
    const next = line.nextElementSibling ?? line.previousElementSibling;
    line.remove();
    (next?.querySelector("input:not([type=hidden])") ?? this.element.querySelector('[data-action="builder#add"]')).focus();
    announce(t("field_removed"));
  }

  #stay(target) {
    target.closest("button").focus();
    const place = this.lineTargets.indexOf(target.closest(".line")) + 1;
    announce(t("field_moved", { place, count: this.lineTargets.length }));
  }
}
