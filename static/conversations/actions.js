// What a member does to a whole conversation. Each change names the version it was made from: two people who edit at once
// do not overwrite each other unseen.

import { post, request } from "core/http";
import { toast } from "core/toast";
import { t } from "core/words";

const NO_ID = "00000000-0000-0000-0000-000000000000";

export class Actions {
  #page;
  #changed;
  #failed;

  /** `page`: {id, api, pageUrl, listUrl, version()}. */
  constructor({ page, changed, failed }) {
    this.#page = page;
    this.#changed = changed;
    this.#failed = failed;
  }

  async rename(title) {
    if (await this.#change({ title })) toast(t("renamed"));
  }

  /** Only what was added and what was taken away since `before`: what others do meanwhile stays. */
  async tag(text, before) {
    const [now, then] = [text, before].map((list) => new Set(list.split(",").map((tag) => tag.trim()).filter(Boolean)));
    const body = { add_tags: [...now.difference(then)], remove_tags: [...then.difference(now)] };
    const conversation = await this.#try(() => request(this.#page.api, { method: "PATCH", body }));
    if (!conversation) return;
    this.#changed(conversation);
    toast(t("saved"));
  }

  /** Answers the next word of the menu entry. */
  async pin(isPinned) {
    if (!(await this.#change({ pinned: isPinned }))) return null;
    toast(t(isPinned ? "pinned" : "unpinned"));
    return t(isPinned ? "unpin" : "pin");
  }

  async archive(isArchived) {
    return Boolean(await this.#change({ archived: isArchived }));
  }

  /** One message, and the answers to it; `url` is its address. */
  async mark(url, isSensitive) {
    const message = await this.#try(() => request(`${url}sensitive/`, { method: isSensitive ? "PUT" : "DELETE" }));
    if (message) toast(t(isSensitive ? "marked_sensitive" : "unmarked_sensitive"));
    return Boolean(message);
  }

  async markAll(isSensitive) {
    return Boolean(await this.#change({ sensitive: isSensitive }));
  }

  async fork(message = null) {
    await this.#try(async () => {
      const fork = await post(`${this.#page.api}fork/`, message ? { message } : {});
      location.assign(this.#page.pageUrl.replace(NO_ID, fork.id));
    });
  }

  async delete() {
    await this.#try(async () => {
      await request(this.#page.api, { method: "DELETE" });
      location.assign(this.#page.listUrl);
    });
  }

  #change(body) {
    return this.#try(async () => {
      const headers = { "if-match": `"${this.#page.version()}"` };
      const conversation = await request(this.#page.api, { method: "PATCH", body, headers });
      this.#changed(conversation);
      return conversation;
    });
  }

  async #try(action) {
    try {
      return await action();
    } catch (error) {
      if (error.status === 412) this.#changed({ version: error.more.current });
      this.#failed(error.status === 412 ? new Error(t("changed_meanwhile")) : error);
      return null;
    }
  }
}
