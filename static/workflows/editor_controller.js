import { Controller } from "@hotwired/stimulus";

import { clone, debounce, fill } from "core/dom";
import { Problem, post, request } from "core/http";
import { read, write } from "core/storage";
import { t } from "core/words";
import { drawn, entriesOf } from "workflows/flow_drawing";
import { noteOf } from "workflows/notes";
import { goTo, mark, textEditor } from "workflows/text_editor";

const CHECK_MS = 500;
const KEEP_MS = 300;
const NO_ID = "00000000-0000-0000-0000-000000000000";
const json = (id) => JSON.parse(document.getElementById(id).textContent);

/** The editor of a workflow: what is typed is kept, checked by the server, and drawn. */
export default class extends Controller {
  static targets = ["drawing", "list", "notice", "number", "problems", "save", "text"];
  static values = { checkUrl: String, draft: String, pageUrl: String, project: String, saveUrl: String, version: Number, wordsUrl: String };
  #words = null;
  #nodes = [];
  #lines = {};
  #checked = 0;

  connect() {
    this.saved = json("file-text");
    this.names = json("file-names");
    const draft = read(this.draftValue);
    const text = draft?.text ?? this.saved;
    this.keep = debounce(() => this.#keep(), KEEP_MS);
    this.check = debounce(() => this.#check(), CHECK_MS);
    this.view = textEditor({
      place: this.textTarget,
      label: this.textTarget.dataset.label,
      text,
      changed: () => this.changed(),
      save: () => this.save(),
      words: () => this.#words && { words: this.#words, names: this.names, tasks: this.#nodes.filter(({ level }) => !level).map(({ name }) => name) },
    });
    addEventListener("pagehide", this.#keep);
    request(this.wordsUrlValue).then((words) => { this.#words = words; }).catch(() => null);
    if (draft && text !== this.saved) this.#tellOfDraft(draft);
    this.#check();
  }

  disconnect() {
    removeEventListener("pagehide", this.#keep);
    this.#keep();
    this.view.destroy();
  }

  get text() {
    return this.view.state.doc.toString();
  }

  changed() {
    this.keep();
    this.check();
  }

  /** Until it is saved this browser keeps it, with the version that it was begun from. */
  #keep = () => {
    write(this.draftValue, this.text === this.saved ? null : { text: this.text, version: this.begunFrom ?? this.versionValue });
  };

  #tellOfDraft({ version }) {
    this.begunFrom = version;
    this.#tell(version === this.versionValue ? t("draft_kept") : t("draft_behind"), version === this.versionValue ? "" : "warn", {
      label: t("discard"),
      does: () => {
        this.begunFrom = this.versionValue;
        this.view.dispatch({ changes: { from: 0, to: this.view.state.doc.length, insert: this.saved } });
        this.noticeTarget.replaceChildren();
        this.view.focus();
      },
    });
  }

  async save() {
    if (this.saveTarget.ariaBusy === "true") return;
    this.saveTarget.ariaBusy = "true";
    const { text } = this;
    const body = { text, ...(this.projectValue && { project: this.projectValue }) };
    const version = this.begunFrom ?? this.versionValue;
    try {
      const made = await post(this.saveUrlValue, body, version ? { headers: { "if-match": `"${version}"` } } : {});
      this.#isSaved(made, text);
    } catch (error) {
      const isRejected = error instanceof Problem && error.code === "definition_rejected";
      if (isRejected) this.#show(error);
      this.#tell(error.message, "bad");
      if (isRejected) this.refusal = this.noticeTarget.firstChild;
      if (isRejected && text !== this.text) this.check(); // mended while it was on its way
    }
    this.saveTarget.ariaBusy = "false";
  }

  #isSaved(made, text) {
    this.saved = text;
    this.#keep();
    if (this.projectValue) return location.assign(this.pageUrlValue.replace(NO_ID, made.id));
    [this.versionValue, this.begunFrom] = [made.version, made.version];
    this.numberTarget.textContent = t("version_number", { number: String(made.number) });
    return this.#tell(t("version_saved", { count: made.number }), "good");
  }

  #tell(...said) {
    this.noticeTarget.replaceChildren(noteOf(...said));
  }

  async #check() {
    const asked = (this.#checked += 1);
    try {
      const { document: definition, lines } = await post(this.checkUrlValue, { text: this.text });
      if (asked === this.#checked) this.#draw(definition, lines);
    } catch (error) {
      if (asked === this.#checked && error.code === "definition_rejected") this.#show(error);
    }
  }

  /** What is wrong, at its lines and in a list; the drawing stays as it was when the file was last right. */
  #show({ errors, more }) {
    const problems = errors.map(({ field, detail }) => ({ line: more.lines?.[field] ?? 1, text: field === "text" ? detail : `${field}: ${detail}` }));
    mark(this.view, problems);
    this.problemsTarget.replaceChildren(...problems.slice(0, 20).map(({ line, text }) => {
      const button = fill(clone("t-flow-problem"), { text: t("in_line", { line: String(line), text }) });
      button.addEventListener("click", () => goTo(this.view, line));
      return button;
    }));
  }

  #draw(definition, lines) {
    mark(this.view, []);
    this.problemsTarget.replaceChildren();
    this.refusal?.remove(); // the file that was refused is another one by now
    const { svg, nodes } = drawn(definition);
    [this.#nodes, this.#lines] = [nodes, lines];
    this.drawingTarget.replaceChildren(svg);
    svg.addEventListener("click", ({ target }) => this.#go(target.closest("[data-pointer]")?.dataset.pointer));
    this.listTarget.replaceChildren(...entriesOf(nodes, (id) => this.#go(id)));
  }

  #go(pointer) {
    if (this.#lines[pointer]) goTo(this.view, this.#lines[pointer]);
  }
}
