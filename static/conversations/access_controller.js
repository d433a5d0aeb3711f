import { Controller } from "@hotwired/stimulus";

import { copyText } from "core/clipboard";
import { clone, debounce, fill } from "core/dom";
import { fetchElements, post, request } from "core/http";
import { toast } from "core/toast";
import { t } from "core/words";

const NEWS_MS = 800;
const DAY_MS = 24 * 60 * 60 * 1000;

/** `user:<id>` or `team:<id>`, as a form says it, with the permission. Before its fields are disabled: those say nothing. */
function named(event) {
  event.preventDefault();
  const form = new FormData(event.target);
  const [kind, id] = form.get("who").split(":");
  return { [kind]: id, permission: form.get("permission") };
}

/** Who sees the conversation: private or not, who is invited or kept out, and its links. The panel is the server's HTML, anew after each change. */
export default class extends Controller {
  static targets = ["address", "choice", "control", "heading", "made", "problem"];
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
    const saved = t({ private: "made_private", project: "made_shared", link: "made_linkable" }[visibility]);
    return this.#try(() => request(this.apiValue, { method: "PATCH", body: { visibility } }), saved, `[name="visibility"][value="${visibility}"]`);
  }

  invite(event) {
    const [body, name] = [named(event), this.choiceTarget.selectedOptions[0].text];
    return this.#try(() => post(`${this.apiValue}participants/`, body), t("invited", { name }), "#invite-person");
  }

  remove({ currentTarget: { dataset: { user, team, name } } }) {
    const url = `${this.apiValue}participants/${team ? `teams/${team}` : user}/`;
    return this.#try(() => request(url, { method: "DELETE" }), t("uninvited", { name }), "[data-user]");
  }

  deny(event) {
    const body = named(event);
    return this.#try(() => post(`${this.apiValue}denials/`, body), t("kept_out"), "#deny-person");
  }

  lift({ currentTarget: { dataset: { denial } } }) {
    return this.#try(() => request(`${this.apiValue}denials/${denial}/`, { method: "DELETE" }), t("let_in"), "#deny-person");
  }

  /** The address is told once: it is put into the new panel, and is gone with the next one. */
  async makeLink(event) {
    event.preventDefault();
    const days = Number(new FormData(event.target).get("days"));
    const expires = days ? { expires_at: new Date(Date.now() + days * DAY_MS).toISOString() } : {};
    let made = null;
    const panel = await this.#try(async () => { made = await post(`${this.apiValue}share/`, expires); }, "", "#link-until");
    if (!made || !panel) return;
    const place = panel.querySelector('[data-access-target="made"]');
    const address = place.querySelector("input");
    address.value = made.url;
    place.hidden = false;
    address.select();
  }

  copy() {
    this.addressTarget.select();
    return copyText(this.addressTarget.value, "link_copied");
  }

  renew({ currentTarget: { dataset: { link } } }) {
    return this.#try(() => post(`${this.apiValue}share/${link}/renew/`, {}), t("link_renewed"), "[data-link]");
  }

  withdraw({ currentTarget: button }) {
    const { link } = button.dataset;
    button.closest("dialog").close(); // what fails is said in the panel, which it would hide
    return this.#try(() => request(`${this.apiValue}share/${link}/`, { method: "DELETE" }), t("link_withdrawn"), "#link-until");
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
    if (!problem) {
      if (saved) toast(saved);
      return panel;
    }
    for (const control of this.controlTargets) control.disabled = false;
    const place = (panel ?? this.element).querySelector('[data-access-target="problem"]');
    place.replaceChildren(fill(clone("t-notice"), { text: problem.message }));
    if (!panel) for (const radio of this.element.querySelectorAll('[name="visibility"]')) radio.checked = radio.defaultChecked;
    return null;
  }

  /** Somebody else changed it. Not under the hands of one who is choosing. */
  #refreshUnlessUsed() {
    const isAtHeading = document.activeElement === this.headingTarget;
    const isShown = this.hasMadeTarget && !this.madeTarget.hidden;
    const isUsed = isShown || !isAtHeading && this.element.contains(document.activeElement);
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
