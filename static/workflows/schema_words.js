// What may stand at a place of a workflow's file, by the published schema and our own words.

const DEEPEST = 8;

/** `words` is what the server tells: `{dsl, document, task, functions}`; `names` are of the project: `{collection: […]}`. */
export function wordsAt({ words, names, path, key, taken, tasks }) {
  const nodes = nodesAt(words, key === null ? path : [...path, key]);
  if (key === null) return keysOf(nodes, path).filter(({ label }) => !taken.includes(label));
  if (key === "call") return words.functions.map((label) => ({ label, type: "function" }));
  if (names[key]) return names[key].map((label) => ({ label, type: "variable" }));
  const more = key === "then" ? tasks.map((label) => ({ label, type: "variable" })) : [];
  return [...valuesOf(nodes), ...more];
}

function nodesAt(words, path) {
  const own = path.findIndex((part, place) => part === "metadata" && path[place + 1] === "parlance");
  const root = own < 0 ? words.dsl : path[0] === "document" ? words.document : words.task;
  let nodes = flat({ schema: root, root });
  for (const part of own < 0 ? path : path.slice(own + 2)) nodes = nodes.flatMap((node) => inside(node, part));
  return nodes;
}

/** References followed, and what is one of several or all of them side by side. */
function flat({ schema, root }, depth = 0) {
  if (!schema || typeof schema !== "object" || depth > DEEPEST) return [];
  if (schema.$ref?.startsWith("#/")) return flat({ schema: schema.$ref.slice(2).split("/").reduce((at, part) => at?.[part], root), root }, depth + 1);
  const parts = [...(schema.oneOf ?? []), ...(schema.anyOf ?? []), ...(schema.allOf ?? []), schema.then, schema.else].filter(Boolean);
  return [{ schema, root }, ...parts.flatMap((part) => flat({ schema: part, root }, depth + 1))];
}

function inside({ schema, root }, part) {
  if (part === "[]") return [schema.items].flat().flatMap((each) => flat({ schema: each, root }));
  if (schema.properties && Object.hasOwn(schema.properties, part)) return flat({ schema: schema.properties[part], root });
  return flat({ schema: schema.additionalProperties, root });
}

function keysOf(nodes, path) {
  const found = new Map();
  for (const { schema, root } of nodes) {
    for (const [label, each] of Object.entries(schema.properties ?? {})) {
      const known = flat({ schema: each, root });
      const types = known.map((node) => node.schema.type);
      const detail = known.map((node) => node.schema.description).find(Boolean);
      const holds = types.includes("array") ? "list" : types.includes("object") ? "object" : "value";
      if (!found.has(label)) found.set(label, { label, type: "property", info: detail, holds });
    }
  }
  if (path.at(-1) === "metadata") found.set("parlance", { label: "parlance", type: "property", holds: "object" });
  return [...found.values()];
}

function valuesOf(nodes) {
  const found = new Set();
  for (const { schema } of nodes) {
    for (const value of [...(schema.enum ?? []), schema.const].filter((each) => each !== undefined)) found.add(String(value));
    if (schema.type === "boolean") ["true", "false"].forEach((value) => found.add(value));
  }
  return [...found].map((label) => ({ label, type: "enum" }));
}
