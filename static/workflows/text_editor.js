// The text of a workflow's file: CodeMirror in a shadow root, where its styles may stand under the page's policy.

import {
  EditorState, EditorView, HighlightStyle, autocompletion, bracketMatching, completionKeymap, defaultKeymap, drawSelection, highlightActiveLine, history, historyKeymap,
  indentService, indentUnit, keymap, lineNumbers, lintGutter, lintKeymap, setDiagnostics, snippet, syntaxHighlighting, tags, yaml,
} from "codemirror";
import { wordsAt } from "workflows/schema_words";
import { indentAfter, placeAt } from "workflows/yaml_place";

const LOOK = EditorView.theme({
  "&": { color: "var(--ink)", backgroundColor: "var(--raised)", fontSize: "0.8125rem", borderRadius: "var(--r-l)", boxShadow: "inset 0 0 0 1px var(--edge)", overflow: "hidden" },
  "&.cm-focused": { outline: "2px solid var(--focus)", outlineOffset: "2px" },
  ".cm-scroller": { fontFamily: "var(--mono)", lineHeight: "1.55", minBlockSize: "20rem", maxBlockSize: "calc(100dvh - 17rem)", overflow: "auto" },
  ".cm-content": { caretColor: "var(--ink)", paddingBlock: "0.5rem" },
  ".cm-cursor": { borderInlineStartColor: "var(--ink)" },
  ".cm-gutters": { backgroundColor: "var(--sunken)", color: "var(--ink-3)", borderInlineEnd: "1px solid var(--line)" },
  ".cm-activeLine, .cm-activeLineGutter": { backgroundColor: "color-mix(in oklch, var(--accent-tint) 55%, transparent)" },
  "&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground": { backgroundColor: "var(--selection)" },
  ".cm-tooltip": { backgroundColor: "var(--raised)", color: "var(--ink)", border: "1px solid var(--line)", borderRadius: "var(--r-m)", boxShadow: "var(--shadow-3)", maxInlineSize: "24rem" },
  ".cm-tooltip.cm-tooltip-autocomplete > ul": { fontFamily: "var(--mono)", maxBlockSize: "14rem" },
  ".cm-tooltip.cm-tooltip-autocomplete > ul > li[aria-selected]": { backgroundColor: "var(--accent-tint)", color: "var(--ink)" },
  ".cm-completionMatchedText": { textDecoration: "none", fontWeight: "600", color: "var(--accent)" },
  ".cm-completionInfo": { padding: "0.5rem 0.75rem" },
  ".cm-diagnostic": { fontFamily: "var(--sans)" },
  ".cm-diagnostic-error": { borderInlineStart: "3px solid var(--bad)" },
  ".cm-lintRange-error": { backgroundImage: "none", textDecoration: "underline wavy var(--bad)", textUnderlineOffset: "0.2em" },
});
const COLOURS = HighlightStyle.define([
  { tag: [tags.propertyName, tags.definition(tags.propertyName)], color: "var(--accent)" },
  { tag: [tags.string, tags.special(tags.string)], color: "var(--good)" },
  { tag: [tags.number, tags.bool, tags.null, tags.keyword], color: "var(--warn)" },
  { tag: tags.comment, color: "var(--ink-3)", fontStyle: "italic" },
]);

const INDENT = indentService.of((context, at) => indentAfter(context.lineAt(at, -1).text));

/** `words()` → {words, names, tasks} of the moment, or null while they are not there. */
export function textEditor({ place, label, text, changed, save, words }) {
  const shadow = place.attachShadow({ mode: "open" });
  const complete = (context) => offered(context, words());
  return new EditorView({
    parent: shadow,
    root: shadow,
    doc: text,
    extensions: [
      lineNumbers(), lintGutter(), history(), drawSelection(), bracketMatching(), highlightActiveLine(), indentUnit.of("  "), INDENT, yaml(), LOOK,
      syntaxHighlighting(COLOURS), EditorView.lineWrapping, EditorState.tabSize.of(2), autocompletion({ override: [complete], icons: false }),
      EditorView.contentAttributes.of({ "aria-label": label, tabindex: "0" }),
      EditorView.updateListener.of((update) => update.docChanged && changed()),
      keymap.of([{ key: "Mod-s", preventDefault: true, run: () => (save(), true) }, ...completionKeymap, ...historyKeymap, ...lintKeymap, ...defaultKeymap]),
    ],
  });
}

function offered(context, known) {
  const text = context.state.doc.toString();
  const { path, key, typed, taken } = placeAt(text, context.pos);
  if (!known || (!context.explicit && !typed)) return null;
  const found = wordsAt({ ...known, path, key, taken });
  const indent = " ".repeat(context.pos - typed.length - context.state.doc.lineAt(context.pos).from);
  return found.length ? { from: context.pos - typed.length, options: found.map((each) => optionOf(each, indent)), validFor: /^[\w.-]*$/ } : null;
}

function optionOf({ holds, ...option }, indent) {
  if (option.type !== "property") return option;
  const apply = { value: `${option.label}: #{}`, object: `${option.label}:\n${indent}  #{}`, list: `${option.label}:\n${indent}- #{}` }[holds];
  return { ...option, apply: (view, completion, from, to) => snippet(withoutIndent(apply, indent))(view, completion, from, to) };
}

/** A snippet's further lines get the indentation of the line by themselves. */
const withoutIndent = (text, indent) => text.replaceAll(`\n${indent}`, "\n");

/** `problems`: [{line, text}]. */
export function mark(view, problems) {
  const { doc } = view.state;
  const found = problems.map(({ line, text }) => {
    const { from, to, text: words } = doc.line(Math.min(Math.max(line, 1), doc.lines));
    return { from: Math.min(from + words.length - words.trimStart().length, to), to, severity: "error", message: text };
  });
  view.dispatch(setDiagnostics(view.state, found.sort((one, other) => one.from - other.from)));
}

export function goTo(view, line) {
  const at = view.state.doc.line(Math.min(Math.max(line, 1), view.state.doc.lines));
  view.dispatch({ selection: { anchor: at.to }, effects: EditorView.scrollIntoView(at.from, { y: "center" }) });
  view.focus();
}
