import { Controller } from "@hotwired/stimulus";

import { Attachments } from "conversations/attachments";

/** Files of the message being written: the button, the paste and the drop. `composer` asks what there is. */
export default class extends Controller {
  static targets = ["form", "input", "list"];
  static values = { maxBytes: Number, maxFiles: Number, project: String, url: String };

  connect() {
    if (!this.hasListTarget) return;
    this.attachments = new Attachments({
      list: this.listTarget,
      url: this.urlValue,
      project: this.projectValue,
      limits: { files: this.maxFilesValue, bytes: this.maxBytesValue },
      changed: () => this.dispatch("changed"),
    });
  }

  open() {
    this.inputTarget.click();
  }

  chosen() {
    this.attachments.add(this.inputTarget.files);
    this.inputTarget.value = "";
  }

  remove({ currentTarget }) {
    this.attachments.remove(currentTarget.closest(".file"));
    document.getElementById("draft").focus();
  }

  /** Programs put a picture of their words beside them: then the words are meant. */
  paste(event) {
    const { files, types } = event.clipboardData;
    if (!files.length || (types.includes("text/plain") && types.includes("text/html"))) return;
    event.preventDefault();
    this.attachments.add(files);
  }

  dragOver(event) {
    if (!event.dataTransfer.types.includes("Files")) return;
    event.preventDefault();
    this.formTarget.dataset.dragging = "";
  }

  /** Anywhere on the page: what is dropped beside the composer would be opened instead of the page. */
  dragLeave({ relatedTarget = null } = {}) {
    if (relatedTarget) return; // over to another part of the page
    delete this.formTarget.dataset.dragging;
  }

  drop(event) {
    this.dragLeave();
    if (!event.dataTransfer.files.length) return;
    event.preventDefault();
    this.attachments.add(event.dataTransfer.files);
  }
}
