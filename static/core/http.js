// Reads and writes of the page, with its session. A failure is either a Problem, which the server explained, or Unreachable.

import { elementsOf } from "core/dom";
import { letGo } from "core/press";
import { t } from "core/words";

const TIMEOUT_MS = 30_000;
const TOKEN_TIMEOUT_MS = 3_000; // somebody waits for the form that they sent
const FIELD = "csrfmiddlewaretoken"; // of a plain form
export const STALE = "csrf"; // the code of a write with a token that is not (or no longer) that of who is signed in

/** What the server answered as problem JSON. `code` is the contract, `message` is for the reader. */
export class Problem extends Error {
  constructor(status, { code = "error", detail = "", title = "", errors = [], ...more } = {}, retryAfter = null) {
    super(detail || title || t("request_failed"));
    Object.assign(this, { status, code, errors, more, retryAfter });
  }

  /** Will the same request fare better later? */
  get isPassing() {
    return this.status >= 500 || this.status === 429 || this.status === 408;
  }
}

/** The request may or may not have arrived: only one that names itself (`client_id`) may be repeated. */
export class Unreachable extends Error {
  constructor() {
    super(t("request_failed"));
  }
}

export async function request(url, { method = "GET", body, headers = {}, signal } = {}) {
  const response = await send(url, {
    method,
    signal: signal ?? AbortSignal.timeout(TIMEOUT_MS),
    body: body === undefined ? undefined : JSON.stringify(body),
    headers: { accept: "application/json", ...(body !== undefined && { "content-type": "application/json" }), ...headers },
  });
  if (!response.ok) throw await problemOf(response);
  return response.status === 204 ? null : response.json().catch(() => null);
}

export const post = (url, body = {}, options = {}) => request(url, { method: "POST", body, ...options });

/** Elements of a fragment, and null when the server says there is nothing (any more). `into`: what they are to take the place of or in. */
export async function fetchElements(url, { signal, method = "GET", body, into } = {}) {
  const response = await send(url, {
    method,
    body,
    headers: { accept: "text/html", "x-fragment": "1" },
    signal: signal ?? AbortSignal.timeout(TIMEOUT_MS),
  });
  if (response.status === 404) return null;
  if (!response.ok) throw await problemOf(response);
  const found = elementsOf(await response.text());
  await letGo(into);
  return found;
}

const tokenElement = () => document.querySelector('meta[name="csrf-token"]');

/** What a write must carry beside the session. */
export const tokenHeader = () => (tokenElement()?.content ? { "x-csrftoken": tokenElement().content } : {});

let renewing = null;

/**
 * After a new sign-in in another tab the token of this page is an old one. True when it is the same person who is back, false when
 * nobody or somebody else is here; a Problem or Unreachable when the server does not say.
 */
export function renewToken() {
  renewing ??= renew().finally(() => { renewing = null; });
  return renewing;
}

async function renew() {
  const { tokenUrl, viewerId } = document.body.dataset;
  const response = await sendOnce(tokenUrl, { headers: { accept: "application/json" }, signal: AbortSignal.timeout(TOKEN_TIMEOUT_MS) });
  if (!response.ok && response.status !== 401) throw await problemOf(response);
  const { user, token } = response.ok ? await response.json() : {};
  if (!token || user !== viewerId) return false;
  tokenElement().content = token;
  for (const field of document.getElementsByName(FIELD)) field.value = token;
  window.dispatchEvent(new CustomEvent("signed-in"));
  return true;
}

async function send(url, options) {
  const response = await sendOnce(url, options);
  if (response.status !== 403) return response;
  const { code } = await response.clone().json().catch(() => ({}));
  if (code !== STALE) return response;
  if (!(await renewToken())) throw signedOut();
  if (options.body instanceof FormData && options.body.has(FIELD)) options.body.set(FIELD, tokenElement().content); // goes before the header
  return sendOnce(url, options);
}

async function sendOnce(url, options) {
  const headers = { ...options.headers, ...tokenHeader() };
  try {
    return await fetch(url, { credentials: "same-origin", ...options, headers });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Unreachable();
  }
}

async function problemOf(response) {
  if (response.status === 401) return signedOut();
  const body = await response.json().catch(() => ({}));
  return new Problem(response.status, body, Number(response.headers.get("retry-after")) || null);
}

function signedOut() {
  window.dispatchEvent(new CustomEvent("signed-out"));
  return new Problem(401, { code: "not_authenticated", detail: t("signed_out") });
}
