import { Controller } from "@hotwired/stimulus";

import { Announcer } from "conversations/announcer";
import { Follow } from "conversations/follow";
import { lastEditable, listen } from "conversations/keys";
import { goWhere, showLinked } from "conversations/links";
import { newClientId, outbox } from "conversations/outbox";
import { People } from "conversations/people";
import { Session } from "conversations/session";
import { Thread } from "conversations/thread";
import { renew } from "core/dom";
import { post } from "core/http";
import { liveSocket } from "live/socket";

/** The page of one conversation: builds its parts and joins them to what stands around the thread. */
export default class extends Controller {
  static targets = ["elsewhere", "faces", "moved", "newWords", "otherBranch", "privacy", "scroller", "tagsInput", "thread", "title", "titleInput", "typing"];
  static values = {
    api: String, branch: String, id: String, leaf: String, listUrl: String, messageUrl: String, messagesApi: String, messagesUrl: String,
    pageUrl: String, position: Number, project: String, saveUrl: String, topic: String, turnsApi: String, version: Number, writable: Boolean,
  };

  connect() {
    const { announce, singleKeys, viewerId } = this.element.dataset;
    this.follow = new Follow({ scroller: this.scrollerTarget, thread: this.threadTarget, chip: this.newWordsTarget });
    this.thread = new Thread({
      element: this.threadTarget,
      scroller: this.scrollerTarget,
      urls: { messages: this.messagesUrlValue, message: this.messageUrlValue },
      follow: this.follow,
      leaf: this.leafValue,
      branch: this.branchValue,
      notices: { otherBranch: this.otherBranchTarget, elsewhere: this.elsewhereTarget, moved: this.movedTarget },
    });
    this.session = new Session({
      id: this.idValue,
      topic: this.topicValue,
      position: this.positionValue,
      urls: { api: this.apiValue, turns: this.turnsApiValue },
      parts: {
        thread: this.thread,
        follow: this.follow,
        people: new People({ faces: this.facesTarget, typing: this.typingTarget, viewer: viewerId }),
        announcer: new Announcer({ isOn: announce !== "off" }),
      },
      tell: {
        changed: () => this.composer?.setRunning(Boolean(this.session.running)),
        conversation: (data) => this.changed(data),
        error: ({ detail }) => this.failed(new Error(detail)),
      },
      answerer: () => this.composer?.answererName ?? "",
    });
    this.stopListening = listen({
      root: this.element,
      articles: () => this.thread.articles,
      hasSingleKeys: singleKeys !== "off",
      does: {
        canStop: () => Boolean(this.session.running),
        stop: () => this.stop(),
        editLast: () => this.editLast(),
        choose: (article, letter) => this.menus.choose(article, letter),
      },
    });
    this.follow.toEnd();
    this.session.start();
    showLinked(this.thread, this.follow);
  }

  disconnect() {
    this.stopListening();
    this.session.stop();
    this.session.people.disconnect();
    this.thread.disconnect();
    this.follow.disconnect();
  }

  get composer() {
    const dock = this.element.querySelector('[data-controller~="composer"]');
    return dock && this.application.getControllerForElementAndIdentifier(dock, "composer");
  }

  get menus() {
    return this.application.getControllerForElementAndIdentifier(this.element, "conversation-menu");
  }

  controllerOf(article) {
    return this.application.getControllerForElementAndIdentifier(article, "message");
  }

  failed(error) {
    this.composer?.complain(error.message);
  }

  /** Show the message at once; it is on its way, whatever the network does. `shown`: {files, references} as the composer shows them. */
  async post(written, shown) {
    const seen = this.thread.leaf || null; // the branch they are written for, whatever is switched elsewhere
    if (!this.thread.isAtPathEnd) await this.toEnd();
    const body = { client_id: newClientId(), seen, ...written };
    const item = { url: `${this.apiValue}messages/`, conversation: this.idValue, ...shown, body };
    this.session.showUnsent(item);
    outbox().add(item);
    return true;
  }

  /** Run `/name arguments`; what it answers is for this member alone. */
  async command({ name, arguments: words }) {
    try {
      const { notice, data } = await post(`${this.apiValue}commands/`, { name, arguments: words });
      this.session.note(notice, name);
      goWhere(data, this.saveUrlValue);
      return true;
    } catch (error) {
      this.failed(error);
      return false;
    }
  }

  typing(on) {
    liveSocket().typing(this.topicValue, on);
  }

  stop() {
    this.session.stopAnswer().catch((error) => this.failed(error));
  }

  editLast() {
    const mine = lastEditable(this.thread.articles);
    if (mine) this.controllerOf(mine)?.edit();
  }

  async toEnd() {
    if (!this.thread.isAtPathEnd) await this.session.reload().catch((error) => this.failed(error));
    this.follow.toEnd();
  }

  /** Leave the branch that one has chosen for the one on which the conversation goes on. */
  rejoin() {
    return this.#goTo(null);
  }

  /** Back to the branch that was shown before somebody else went on on another one. */
  stay() {
    return this.#goTo(this.thread.left);
  }

  async #goTo(message) {
    try {
      await this.session.choose(message);
      this.follow.toEnd();
      this.scrollerTarget.focus(); // the button is gone
    } catch (error) {
      this.failed(error);
    }
  }

  older() {
    this.thread.older().catch((error) => this.failed(error));
  }

  dismissNote({ target }) {
    target.closest(".notice").remove();
  }

  /** The conversation itself has changed, here or elsewhere. */
  changed({ tags, title, version, visibility }) {
    if (title && title !== this.titleTarget.textContent) {
      document.title = document.title.replace(this.titleTarget.textContent, title);
      this.titleTarget.textContent = title;
      renew(this.titleInputTargets, title);
    }
    if (tags) renew(this.tagsInputTargets, tags.join(", "));
    if (version) this.versionValue = version;
    if (visibility) for (const sign of this.privacyTargets) sign.hidden = sign.dataset.of !== visibility;
    window.dispatchEvent(new CustomEvent("talks:changed"));
    window.dispatchEvent(new CustomEvent("conversation:changed"));
  }
}
