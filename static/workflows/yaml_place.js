// Where in a YAML file the caret stands, from its lines alone: what is being typed is not yet a file that could be read.

const KEY = /^("(?:[^"\\]|\\.)*"|'[^']*'|[^\s#&*!|>'"%@`{[\]},-][^#]*?|-[^\s#][^#]*?):(?:\s|$)/;

/** `- a: 1` → an item at the column of the dash, and a key at that of its name. */
function entriesOf(line) {
  const found = [];
  let column = line.length - line.trimStart().length;
  let rest = line.slice(column);
  while (/^-(\s|$)/.test(rest)) {
    found.push({ column, isItem: true });
    const width = rest.length - rest.slice(1).trimStart().length;
    column += width;
    rest = rest.slice(width);
  }
  const key = KEY.exec(rest);
  if (key) found.push({ column, name: key[1].replace(/^["']|["']$/g, ""), rest: rest.slice(key[0].length) });
  return { entries: found, column, rest };
}

const isEmpty = (line) => !line.trim() || line.trimStart().startsWith("#");

/**
 * `{path, key, typed, taken}` at `offset`: `path` leads to what is being written, "[]" for an item of a list; `key` is set behind a
 * colon, where a value is typed; `taken` are names that stand beside it.
 */
export function placeAt(text, offset) {
  const before = text.slice(0, offset).split("\n");
  const after = text.slice(offset).split("\n").slice(1);
  const { entries, column, rest } = entriesOf(before.pop());
  const last = entries.at(-1);
  const key = last && !last.isItem ? entries.pop() : null;
  const path = [];
  for (const each of [...entries].reverse()) if (each.isItem) path.unshift("[]");
  let limit = entries[0]?.column ?? column;
  let isItem = Boolean(entries[0]);
  for (const line of before.toReversed()) {
    if (isEmpty(line)) continue;
    for (const each of entriesOf(line).entries.toReversed()) {
      const isAbove = each.column < limit || (isItem && !each.isItem && each.column === limit);
      if (!isAbove) continue;
      path.unshift(each.isItem ? "[]" : each.name);
      limit = each.column;
      isItem = Boolean(each.isItem);
    }
  }
  return { path, key: key?.name ?? null, typed: key ? key.rest.trimStart() : rest, taken: key ? [] : besides(before, after, column, entries.length > 0) };
}

/** Names in the same mapping, above and below. */
function besides(before, after, column, begins) {
  const names = [];
  for (const lines of begins ? [after] : [before.toReversed(), after]) {
    for (const line of lines) {
      if (isEmpty(line)) continue;
      const { entries } = entriesOf(line);
      const indent = line.length - line.trimStart().length;
      const own = entries.find((each) => !each.isItem && each.column === column);
      if (own && (indent === column || lines !== after)) names.push(own.name);
      if (indent < column) break;
    }
  }
  return names;
}

/** Where what follows a line begins: below the name that waits for its value, else beside the last one. */
export function indentAfter(line) {
  const { entries, column } = entriesOf(line);
  const last = entries.at(-1);
  return last && !last.isItem && !last.rest.trim() ? last.column + 2 : column;
}
