// Files of the message being written: chosen, pasted or dropped, uploaded at once, and named in the message when it is sent.

import { clone, fill, icon, slot } from "core/dom";
import { Problem, STALE, renewToken, request, tokenHeader } from "core/http";
import { bytes, t } from "core/words";

const SOON_S = 15; // too much at a time, not a quota that is used up

export class Attachments {
  #list;
  #url;
  #project;
  #limits;
  #changed;
  #files = new Map(); // element → {id, name, upload}

  /** `limits`: {files, bytes}; `changed()` after every change. */
  constructor({ list, url, project, limits, changed }) {
    this.#list = list;
    this.#url = url;
    this.#project = project;
    this.#limits = limits;
    this.#changed = changed;
  }

  get ids() {
    return [...this.#files.values()].map(({ id }) => id).filter(Boolean);
  }

  get shown() {
    return [...this.#files.values()].filter(({ id }) => id).map(({ id, name, note, preview }) => ({ id, name, note, preview }));
  }

  get areUploading() {
    return [...this.#files.values()].some(({ upload }) => upload);
  }

  get haveFailed() {
    return Boolean(this.#list.querySelector(':scope > [data-state="failed"]'));
  }

  get isEmpty() {
    return this.#files.size === 0;
  }

  /** Files that a draft has kept: already on the server. */
  restore(kept) {
    for (const { id, name, note, preview } of kept) {
      const element = this.#show(name, note);
      element.dataset.state = "ready";
      slot(element, "progress").remove();
      if (preview) this.#picture(element, preview);
      this.#files.set(element, { id, name, note, preview });
    }
  }

  /** `arrived()` once the server has one of them. */
  add(files, arrived = () => null) {
    for (const file of files) {
      this.#forgetFailed(file.name); // it is tried again
      this.#addOne(file, arrived);
    }
    this.#changed();
  }

  remove(element) {
    const file = this.#files.get(element);
    file?.upload?.abort();
    if (file?.id) request(`${this.#url}${file.id}/`, { method: "DELETE" }).catch(() => null); // the server sweeps unused files
    this.#drop(element);
  }

  /** Those that failed, too: what was said of them is over. */
  clear() {
    this.#list.replaceChildren();
    this.#files.clear();
  }

  #forgetFailed(name) {
    for (const element of this.#list.querySelectorAll(':scope > [data-state="failed"]')) if (slot(element, "name").textContent === name) element.remove();
  }

  #addOne(file, arrived) {
    const element = this.#show(file.name, bytes(file.size));
    if (this.#files.size >= this.#limits.files) return this.#fail(element, t("too_many_files", { count: this.#limits.files }));
    if (file.size > this.#limits.bytes) return this.#fail(element, t("file_too_big", { limit: bytes(this.#limits.bytes) }));
    if (file.type.startsWith("image/")) this.#picture(element, URL.createObjectURL(file));
    const entry = { id: null, name: file.name, note: bytes(file.size), upload: null, arrived };
    this.#files.set(element, entry);
    entry.upload = this.#upload(file, element, entry);
    return element;
  }

  /** XMLHttpRequest, because `fetch` does not tell how much has gone. */
  #upload(file, element, entry) {
    const upload = new XMLHttpRequest();
    const form = new FormData();
    form.append("file", file, file.name);
    form.append("project", this.#project);
    upload.open("POST", this.#url);
    upload.responseType = "json";
    upload.setRequestHeader("accept", "application/json");
    for (const [name, value] of Object.entries(tokenHeader())) upload.setRequestHeader(name, value);
    upload.upload.addEventListener("progress", ({ loaded, total }) => {
      slot(element, "progress").value = (100 * loaded) / total;
      fill(element, { note: t("uploading", { done: bytes(loaded), total: bytes(total) }) });
    });
    upload.addEventListener("loadend", () => {
      entry.upload = null;
      const wait = upload.status === 429 && Number(upload.getResponseHeader("retry-after"));
      if (upload.status >= 200 && upload.status < 300) this.#ready(element, entry, upload.response);
      else if (wait && wait <= SOON_S && this.#files.has(element)) entry.upload = this.#again(wait, file, element, entry);
      else if (upload.status === 403 && upload.response?.code === STALE && !entry.isRenewed) this.#renewed(file, element, entry);
      else if (this.#files.has(element)) this.#fail(element, new Problem(upload.status, upload.response ?? {}).message);
    });
    upload.send(form);
    return upload;
  }

  /** The same person has signed in anew in another tab: it goes once more. */
  async #renewed(file, element, entry) {
    entry.isRenewed = true;
    entry.upload = { abort: () => null };
    const isBack = await renewToken().catch(() => false);
    entry.upload = null;
    if (!this.#files.has(element)) return;
    if (isBack) entry.upload = this.#upload(file, element, entry);
    else this.#fail(element, t("signed_out"));
  }

  /** Many at once may be more than the server takes in a moment. */
  #again(seconds, file, element, entry) {
    const timer = setTimeout(() => { entry.upload = this.#upload(file, element, entry); }, seconds * 1000);
    return { abort: () => clearTimeout(timer) };
  }

  #ready(element, entry, answer) {
    entry.id = answer.id;
    entry.preview = answer.preview_url;
    entry.arrived();
    element.dataset.state = "ready";
    slot(element, "progress")?.remove();
    fill(element, { note: entry.note });
    this.#changed();
  }

  #fail(element, reason) {
    element.dataset.state = "failed";
    slot(element, "progress")?.remove();
    slot(element, "note").setAttribute("role", "alert");
    fill(element, { note: reason });
    element.querySelector(".kind").replaceChildren(icon("file-x"));
    this.#files.delete(element);
    this.#changed();
  }

  #show(name, note) {
    const element = fill(clone("t-attachment"), { name, note });
    element.querySelector("button").setAttribute("aria-label", t("remove_file", { name }));
    this.#list.append(element);
    return element;
  }

  #picture(element, url) {
    const picture = element.querySelector(".thumb");
    picture.addEventListener("load", () => {
      URL.revokeObjectURL(url);
      picture.hidden = false;
      element.querySelector(".kind").hidden = true;
    });
    picture.addEventListener("error", () => URL.revokeObjectURL(url));
    picture.src = url;
  }

  #drop(element) {
    this.#files.delete(element);
    element.remove();
    this.#changed();
  }
}
