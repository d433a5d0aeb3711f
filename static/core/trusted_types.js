// Where the browser knows Trusted Types, the policy of the page lets no text become markup or script except through a named
// policy. Ours (core/dom) and DOMPurify's name themselves; libraries that know of none, such as htmx, come through this
// one, which lets through what our views answer and refuses whatever could run.

import { inertDocument } from "core/dom";

const RUNS = "script, iframe, object, embed, base, link[rel~=import], meta[http-equiv], [srcdoc]";
const ADDRESSES = ["href", "xlink:href", "src", "action", "formaction", "data"];
const SCRIPT_ADDRESS = /^(?:javascript|vbscript|data:text\/html)/i;
// What a browser leaves out before it reads the scheme of an address.
// eslint-disable-next-line no-control-regex
const LEFT_OUT = /[\x00-\x20]/g;

/** Whether anything in this inert document would run, or lead to what runs, once it stood in the page. */
export function couldRun(parsed) {
  const elements = [...parsed.querySelectorAll("*")];
  for (const template of parsed.querySelectorAll("template")) elements.push(...template.content.querySelectorAll("*"));
  return elements.some(
    (element) =>
      element.matches(RUNS) ||
      [...element.attributes].some(
        ({ name, value }) =>
          name.toLowerCase().startsWith("on") ||
          (ADDRESSES.includes(name.toLowerCase()) && SCRIPT_ADDRESS.test(value.replace(LEFT_OUT, ""))),
      ),
  );
}

window.trustedTypes?.createPolicy("default", { createHTML: (html) => (couldRun(inertDocument(html)) ? null : html) });
