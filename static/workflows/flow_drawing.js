// The graph of a definition as SVG. Values become attributes, colours come from the stylesheet.

import { Graph, layout } from "@dagrejs/dagre";

import { graphOf } from "workflows/flow_graph";

const WIDTH = 224;
const HEIGHT = 44;
const LONGEST = 21;
const WORD = 7; // pixels of a letter beside a way
const SVG = "http://www.w3.org/2000/svg";

function element(name, attributes = {}, ...children) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

const cut = (text) => (text.length > LONGEST ? `${text.slice(0, LONGEST - 1)}…` : text);

/** `{svg, nodes}`: the picture, which only eyes and pointers use, and its nodes in the order of the file, for a list beside it. */
export function drawn(definition) {
  const graph = graphOf(definition);
  const placed = placedOf(graph);
  const { width = 0, height = 0 } = placed.graph();
  const svg = element("svg", {
    class: "flow", viewBox: `0 0 ${Math.ceil(width)} ${Math.ceil(height)}`, width: Math.ceil(width), height: Math.ceil(height), "aria-hidden": "true",
  });
  const tip = element("marker", { id: "tip", viewBox: "0 0 8 8", refX: 7, refY: 4, markerWidth: 7, markerHeight: 7, orient: "auto" }, element("path", { d: "M0 0 8 4 0 8z" }));
  svg.append(element("defs", {}, tip));
  for (const { id } of graph.groups) svg.append(boxOf(placed.node(`${id}#`), "group"));
  for (const edge of placed.edges()) svg.append(...wayOf(placed.edge(edge)));
  for (const node of graph.nodes) svg.append(nodeOf(node, placed.node(node.id)));
  return { svg, nodes: graph.nodes };
}

function placedOf({ nodes, groups, ways }) {
  const placed = new Graph({ compound: true, multigraph: true });
  placed.setGraph({ rankdir: "TB", nodesep: 24, ranksep: 36, marginx: 8, marginy: 8 });
  placed.setDefaultEdgeLabel(() => ({}));
  for (const { id } of groups) placed.setNode(`${id}#`, {});
  for (const { id } of nodes) placed.setNode(id, { width: WIDTH, height: HEIGHT });
  for (const { id, group } of groups) if (group) placed.setParent(`${id}#`, `${group}#`);
  for (const { id, group } of nodes) if (group) placed.setParent(id, `${group}#`);
  ways.forEach(({ from, to, words }, place) => {
    const label = words ? { words, width: words.length * WORD, height: 16, labelpos: "r" } : {};
    placed.setEdge(from, to, label, String(place));
  });
  layout(placed);
  return placed;
}

const boxOf = ({ x, y, width, height }, name) => element("rect", { class: name, x: x - width / 2, y: y - height / 2, width, height, rx: 10 });

function wayOf({ points, words, x, y, width }) {
  const [begin, ...others] = points;
  const path = element("path", { class: "way", d: `M${begin.x} ${begin.y} ${others.map((each) => `L${each.x} ${each.y}`).join(" ")}`, "marker-end": "url(#tip)" });
  if (!words) return [path];
  return [path, element("text", { class: "word", x: x - width / 2 + 6, y: y + 4 }, cut(words))];
}

function nodeOf({ id, kind, label, what, isStage, isGated }, { x, y }) {
  const [left, top] = [x - WIDTH / 2, y - HEIGHT / 2];
  const box = element("rect", { x: left, y: top, width: WIDTH, height: HEIGHT, rx: 10, ...(isGated && { "stroke-dasharray": "5 4" }) });
  const middle = top + (what ? 20 : 27);
  const name = element("text", { x: left + 14, y: middle }, cut(label));
  const words = element("text", { class: "kind", x: left + WIDTH - 12, y: middle, "text-anchor": "end" }, kind);
  const under = what ? [element("text", { class: "kind", x: left + 14, y: top + 36 }, cut(what))] : [];
  return element("g", { class: isStage ? "node stage-box" : "node", "data-pointer": id }, box, name, words, ...under);
}

/** The same in words, in the order of the file; `choose(id)` makes each a button. */
export function entriesOf(nodes, choose = null) {
  return nodes.map(({ id, label, kind, level }) => {
    const entry = document.createElement("li");
    entry.dataset.level = Math.min(level, 6);
    const text = `${label} (${kind})`;
    if (!choose) entry.textContent = text;
    else {
      const button = Object.assign(document.createElement("button"), { className: "button quiet small", type: "button", textContent: text });
      button.addEventListener("click", () => choose(id));
      entry.append(button);
    }
    return entry;
  });
}
