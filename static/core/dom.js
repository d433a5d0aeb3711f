// Templates of the page, and HTML that our own server rendered. Text from elsewhere only ever goes through core/markup.

const policy = window.trustedTypes?.createPolicy("parlance-fragments", { createHTML: (html) => html });
const parser = new DOMParser();

/** A copy of the only element of `<template id>`. */
export function clone(id) {
  return document.getElementById(id).content.firstElementChild.cloneNode(true);
}

export function slot(root, name) {
  return root.querySelector(`[data-slot="${name}"]`);
}

export function fill(root, values) {
  for (const [name, value] of Object.entries(values)) {
    const element = slot(root, name);
    if (element) element.textContent = value;
  }
  return root;
}

/** A document that nothing in runs or loads. */
export function inertDocument(html) {
  return parser.parseFromString(policy ? policy.createHTML(html) : html, "text/html");
}

/** Elements of a page fragment that a view of ours answered. Scripts in it do not run. */
export function elementsOf(html) {
  return [...inertDocument(html).body.children].map((element) => document.adoptNode(element));
}

export function icon(name, size = "") {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("class", `icon ${size}`.trim());
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", `${document.documentElement.dataset.icons}#i-${name}`);
  svg.append(use);
  return svg;
}

/** The key is for the input method. The Enter that ends a composition comes after it in WebKit: only its old code tells. */
export const isComposing = (event) => event.isComposing || event.keyCode === 229;

export const isEditable = (element) => element?.matches?.("input, textarea, select, [contenteditable]") ?? false;

export function debounce(action, milliseconds) {
  let timer = null;
  return (...values) => {
    clearTimeout(timer);
    timer = setTimeout(() => action(...values), milliseconds);
  };
}

/** What a dialog begins with (its `defaultValue`, too); not under the hands of one who is writing in it. */
export function renew(inputs, value) {
  for (const input of inputs) if (!input.closest("dialog").open) input.value = input.defaultValue = value;
}
