import { Controller } from "@hotwired/stimulus";

import { debounce, elementsOf } from "core/dom";
import { Problem, request } from "core/http";
import { announce } from "core/toast";
import { t } from "core/words";
import { liveSocket } from "live/socket";

const NEWS_MS = 300;
const CAME = new Set(["record.created", "extraction.record_restored", "extraction.records_separated"]);
const GONE = new Set(["extraction.record_deleted", "extraction.records_merged"]);

/**
 * An open table hears of its collection. Rows that are there are drawn anew where they stand; what came is offered, what went is
 * marked: nothing moves under a hand. The row that somebody edits is left alone: its version tells the two apart when it is saved.
 */
export default class extends Controller {
  static targets = ["news", "count"];
  static values = { topic: String, position: Number, columns: String };

  connect() {
    this.came = new Set();
    this.stale = new Map(); // record → version that somebody told of
    this.soon = debounce(() => this.#draw(), NEWS_MS);
    liveSocket().subscribe(this.topicValue, {
      position: () => ({ after: this.positionValue, turns: {} }),
      onFrame: (frame) => this.#heard(frame),
    });
    this.element.addEventListener("focusout", this.soon);
  }

  disconnect() {
    this.element.removeEventListener("focusout", this.soon);
    liveSocket().unsubscribe(this.topicValue);
  }

  #heard(frame) {
    if (frame.type === "snapshot") {
      // Away for longer than what is told again: every row may be another one.
      this.positionValue = frame.topic_position;
      for (const row of this.#rows()) this.stale.set(row.dataset.record, Infinity);
      this.soon();
    }
    if (frame.type !== "event" || frame.topic_position <= this.positionValue) return null;
    if (frame.topic_position !== this.positionValue + 1) return "gap";
    this.positionValue = frame.topic_position;
    const { record_id: id, winner_id: winner, loser_id: loser, version } = frame.data;
    if (CAME.has(frame.event)) this.#note(loser ?? id);
    if (GONE.has(frame.event)) this.#leave(loser ?? id);
    if (frame.event === "record.updated") this.stale.set(id, version);
    if (winner) this.stale.set(winner, version);
    this.soon();
    return null;
  }

  #rows(id) {
    const named = id ? `[data-record="${CSS.escape(id)}"]` : "[data-record]";
    return [...this.element.querySelectorAll(`tr${named}`)];
  }

  #note(id) {
    const [row] = this.#rows(id);
    if (row) this.stale.set(id, Infinity); // brought back: it stands there still
    else this.came.add(id);
  }

  #leave(id) {
    this.came.delete(id);
    this.stale.delete(id);
    for (const row of this.#rows(id)) {
      row.dataset.gone = "";
      row.title = t("record_deleted");
      for (const cell of row.querySelectorAll("[data-field]")) cell.removeAttribute("data-field");
      for (const tick of row.querySelectorAll(".tick")) tick.disabled = true;
    }
  }

  async #draw() {
    this.newsTarget.hidden = this.came.size === 0;
    if (this.came.size) this.countTarget.textContent = t("records_new", { count: this.came.size });
    let changed = 0;
    for (const [id, version] of this.stale) {
      const [row] = this.#rows(id);
      if (row?.querySelector(".editing")) continue; // once it is let go
      this.stale.delete(id);
      if (row && Number(row.dataset.version) < version && (await this.#redraw(row))) changed += 1;
    }
    if (changed) announce(t("rows_changed", { count: changed }));
  }

  async #redraw(row) {
    const id = row.dataset.record;
    const query = new URLSearchParams({ look: "table" });
    for (const name of this.columnsValue.split(",").filter(Boolean)) query.append("column", name);
    try {
      const answer = await request(`/record/${id}/cell/?${query}`);
      const [now] = this.#rows(id);
      if (!now || now.querySelector(".editing") || Number(now.dataset.version) >= answer.version) return false;
      this.application.getControllerForElementAndIdentifier(this.element, "records")?.renew(now, elementsOf(answer.html)[0]);
      return true;
    } catch (error) {
      if (error instanceof Problem && error.status === 404) this.#leave(id);
      return false; // the next news
    }
  }
}
