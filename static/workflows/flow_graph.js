// A definition as a graph: each task is a node, what is inside another stands in its group, ways lead from each to what may come next.

export const KINDS = ["call", "do", "emit", "for", "fork", "listen", "raise", "run", "set", "switch", "try", "wait"];
const DIRECTIVES = ["continue", "exit", "end"];

export const escaped = (name) => name.replaceAll("~", "~0").replaceAll("/", "~1");

const kindOf = (body) => ("for" in body ? "for" : "listen" in body ? "listen" : (KINDS.find((kind) => kind in body) ?? ""));

/** `{nodes, ways, groups}`; ids are JSON pointers into the document, that of a group is its task's. */
export function graphOf(document) {
  const graph = { nodes: [], ways: [], groups: [] };
  list(document.do ?? [], "/do", null, 0, graph);
  return graph;
}

/** Tasks one after the other: what they begin with, and what leads out of them. */
function list(tasks, pointer, group, level, graph, first = 0) {
  const made = tasks.map((item, place) => {
    const [[name, body]] = Object.entries(item);
    return { name, ...task(name, body, `${pointer}/${first + place}/${escaped(name)}`, group, level, graph) };
  });
  const exits = [];
  made.forEach((each, place) => {
    for (const { then, words, from } of each.ways) {
      const target = DIRECTIVES.includes(then) ? (then === "continue" ? made[place + 1] : null) : made.find(({ name }) => name === then);
      if (target) from.forEach((source) => graph.ways.push({ from: source, to: target.id, words }));
      else if (then !== "end") exits.push(...from);
    }
  });
  return { first: made[0]?.id, exits };
}

function task(name, body, id, group, level, graph) {
  const stage = body.metadata?.parlance?.stage;
  const kind = kindOf(body);
  const parts = partsOf(kind, body, id);
  const own = parts.length ? id : null;
  if (own) graph.groups.push({ id, group });
  graph.nodes.push({
    id, group: own ?? group, level, kind, label: stage?.title ?? body.metadata?.parlance?.title ?? name, name,
    isStage: Boolean(stage), isGated: Boolean(stage?.requires?.length || stage?.manual), what: whatOf(kind, body),
  });
  const exits = parts.flatMap(({ tasks, pointer, words, first }) => {
    const inner = list(tasks, pointer, own, level + 1, graph, first);
    if (inner.first) graph.ways.push({ from: id, to: inner.first, words });
    return inner.exits;
  });
  const from = exits.length ? exits : [id];
  if (kind !== "switch") return { id, ways: [{ then: body.then ?? "continue", words: "", from }] };
  const cases = body.switch.map((item) => Object.entries(item)[0]);
  return { id, ways: cases.map(([words, each]) => ({ then: each.then ?? "continue", words, from: [id] })) };
}

/** The lists of tasks inside a task, those of a fork side by side. */
function partsOf(kind, body, id) {
  if (kind === "do" || kind === "for") return some(body.do, `${id}/do`, kind === "for" ? (body.for?.each ?? "") : "");
  if (kind === "try") return [...some(body.try, `${id}/try`, ""), ...some(body.catch?.do, `${id}/catch/do`, "catch")];
  if (kind === "listen") return some(body.foreach?.do, `${id}/foreach/do`, "");
  if (kind !== "fork") return [];
  return (body.fork?.branches ?? []).map((item, place) => ({ tasks: [item], pointer: `${id}/fork/branches`, words: "", first: place }));
}

const some = (tasks, pointer, words) => (tasks?.length ? [{ tasks, pointer, words }] : []);

function whatOf(kind, body) {
  if (kind === "call") return typeof body.call === "string" ? body.call : "";
  if (kind === "run") return body.run?.workflow?.name ?? "";
  return "";
}
