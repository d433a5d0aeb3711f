import { Controller } from "@hotwired/stimulus";

import { clone, fill } from "core/dom";
import { renewToken } from "core/http";
import { t } from "core/words";
import { liveSocket } from "live/socket";

const PATIENCE_MS = 1500; // a server that restarts is back before anybody needs to know
const GOOD_NEWS_MS = 5000;

/** The line under the bar: what is wrong with the connection, and what that means for what one writes. */
export default class extends Controller {
  #isShown = false;
  #isOut = false;
  #sent = 0;
  #arrived = 0;

  connect() {
    liveSocket().addEventListener("state", this.#changed);
    addEventListener("outbox:sent", this.#count);
    addEventListener("conversation:arrived", this.#count);
    addEventListener("signed-out", this.#signedOut);
    addEventListener("signed-in", this.#signedIn);
    addEventListener("focus", this.#look);
  }

  disconnect() {
    liveSocket().removeEventListener("state", this.#changed);
    removeEventListener("outbox:sent", this.#count);
    removeEventListener("conversation:arrived", this.#count);
    removeEventListener("signed-out", this.#signedOut);
    removeEventListener("signed-in", this.#signedIn);
    removeEventListener("focus", this.#look);
    clearInterval(this.clock);
  }

  #changed = () => {
    const { state } = liveSocket();
    clearTimeout(this.patience);
    clearInterval(this.clock);
    if (state === "open") return this.#online();
    if (state === "signed-out") return this.#signedOut();
    const wait = state === "offline" || this.#isShown ? 0 : PATIENCE_MS;
    this.patience = setTimeout(() => this.#trouble(), wait);
    return null;
  };

  #trouble() {
    const { state } = liveSocket();
    if (state === "open" || state === "refused") return;
    this.#isShown = true;
    this.#sent = 0;
    this.#arrived = 0;
    document.body.dataset.connection = "down";
    this.element.replaceChildren(clone(state === "offline" ? "t-offline" : "t-reconnecting"));
    this.clock = setInterval(() => this.#tick(), 1000);
  }

  /** The countdown is for the eye; read aloud every second it would be a torment. */
  #tick() {
    const { retryAt } = liveSocket();
    const count = retryAt ? Math.max(Math.ceil((retryAt - Date.now()) / 1000), 1) : null;
    this.element.querySelector('[data-slot="retry"]')?.setAttribute("aria-hidden", "true");
    fill(this.element, { retry: count ? t("retry_in", { count }) : "" });
  }

  #online() {
    delete document.body.dataset.connection;
    if (!this.#isShown) return;
    this.#isShown = false;
    this.element.replaceChildren(clone("t-online"));
    this.patience = setTimeout(() => this.element.replaceChildren(), GOOD_NEWS_MS);
  }

  #count = ({ type }) => {
    if (type === "outbox:sent") this.#sent += 1;
    else this.#arrived += 1;
    const news = [t("back_online")];
    if (this.#arrived) news.push(t("came_in", { count: this.#arrived }));
    if (this.#sent) news.push(t("yours_sent", { count: this.#sent }));
    if (this.element.querySelector('[data-kind="good"]')) fill(this.element, { text: news.join(" ") });
  };

  /** Whoever has signed in again in another tab, and comes back to this one, goes on here. */
  #look = () => {
    if (this.#isOut) renewToken().catch(() => null);
  };

  #signedIn = () => {
    this.#isOut = false;
    if (liveSocket().state === "open") this.#online();
  };

  #signedOut = () => {
    this.#isOut = true;
    this.#isShown = true;
    this.element.replaceChildren(fill(clone("t-reconnecting"), {}));
    this.element.querySelector(".grow").textContent = t("signed_out");
  };
}
