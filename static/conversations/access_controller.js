import { Controller } from "@hotwired/stimulus";

import { clone, debounce, fill } from "core/dom";
import { fetchElements, post, request } from "core/http";
import { toast } from "core/toast";
import { t } from "core/words";

const NEWS_MS = 800;

/** Who sees the conversation: private or not, and who is invited. The panel is the server's HTML, anew after each change. */
export default class extends Controller {
  static targets = ["choice", "control", "heading", "problem"];
  static values = { api: String, listUrl: String, url: String };

  connect() {
    this.news = debounce(() => this.#refreshUnlessUsed(), NEWS_MS);
    addEventListener("conversation:changed", this.news);
    this.dispatch("shown", { prefix: "people", target: window });
  }

  disconnect() {
    removeEventListener("conversation:changed", this.news);
  }

  see({ target: { value: visibility } }) {
    const saved = t(visibility === "private" ? "made_private" : "made_shared");
    return this.#try(() => request(this.apiValue, { method: "PATCH", body: { visibility } }), saved, `[name="visibility"][value="${visibility}"]`);
  }

  invite(event) {
    event.preventDefault();
    const { value: user, selectedOptions } = this.choiceTarget;
    return this.#try(() => post(`${this.apiValue}participants/`, { user }), t("invited", { name: selectedOptions[0].text }), "#invite-person");
  }

  remove({ currentTarget: { dataset: { user, name } } }) {
    return this.#try(() => request(`${this.apiValue}participants/${user}/`, { method: "DELETE" }), t("uninvited", { name }), "[data-user]");
  }

  /** The page is not for this person any more, so nothing of it is asked for again. */
  async leave({ currentTarget: button }) {
    button.disabled = true;
    try {
      await request(`${this.apiValue}participants/${document.body.dataset.viewerId}/`, { method: "DELETE" });
      location.assign(this.listUrlValue);
    } catch (error) {
      button.disabled = false;
      button.closest("dialog").close();
      this.problemTarget.replaceChildren(fill(clone("t-notice"), { text: error.message }));
    }
  }

  /** What failed changed nothing: the panel goes back to what the server says, with the reason in it. */
  async #try(action, saved, focus) {
    for (const control of this.controlTargets) control.disabled = true;
    this.problemTarget.replaceChildren();
    let problem = null;
    await action().catch((error) => { problem = error; });
    const panel = await this.#refresh(focus).catch(() => null);
    if (!problem) return toast(saved);
    for (const control of this.controlTargets) control.disabled = false;
    const place = (panel ?? this.element).querySelector('[data-access-target="problem"]');
    place.replaceChildren(fill(clone("t-notice"), { text: problem.message }));
    if (!panel) for (const radio of this.element.querySelectorAll('[name="visibility"]')) radio.checked = radio.defaultChecked;
    return null;
  }

  /** Somebody else changed it. Not under the hands of one who is choosing. */
  #refreshUnlessUsed() {
    const isAtHeading = document.activeElement === this.headingTarget;
    const isUsed = !isAtHeading && this.element.contains(document.activeElement);
    if (isUsed || this.element.querySelector("[data-access-target~=control]:disabled")) return;
    this.#refresh(isAtHeading ? "h2[tabindex]" : null).catch(() => null);
  }

  /** The new panel, with the focus on what `focus` selects; null when this one is no longer on the page. */
  async #refresh(focus = null) {
    const found = await fetchElements(this.urlValue);
    if (!found || !this.element.isConnected) return null;
    const [panel] = found;
    this.element.replaceWith(panel);
    if (focus) (panel.querySelector(focus) ?? panel.querySelector("h2[tabindex]")).focus();
    return panel;
  }
}
