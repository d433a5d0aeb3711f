// Asks the browser for a passkey and sends what it says with the form. The options come with the page or from an address.

import { Controller } from "@hotwired/stimulus";

const BINARY = ["challenge", "id"];

function toBytes(text) {
  const plain = atob(text.replace(/-/g, "+").replace(/_/g, "/"));
  return Uint8Array.from(plain, (character) => character.charCodeAt(0));
}

function toText(buffer) {
  const plain = String.fromCharCode(...new Uint8Array(buffer));
  return btoa(plain).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
}

/** Challenges and ids come as base64url and are bytes for the browser. */
function decoded(value, name = "") {
  if (typeof value === "string") return BINARY.includes(name) ? toBytes(value) : value;
  if (Array.isArray(value)) return value.map((item) => decoded(item));
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [key, name === "rp" && key === "id" ? inner : decoded(inner, key)]),
  );
}

function encoded(credential) {
  const answer = credential.response;
  const parts = ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"];
  const response = Object.fromEntries(parts.filter((name) => answer[name]).map((name) => [name, toText(answer[name])]));
  if (answer.getTransports) response.transports = answer.getTransports();
  return {
    id: credential.id,
    rawId: toText(credential.rawId),
    type: credential.type,
    authenticatorAttachment: credential.authenticatorAttachment,
    clientExtensionResults: credential.getClientExtensionResults(),
    response,
  };
}

export default class extends Controller {
  static targets = ["credential", "button", "complaint"];
  static values = { address: String };

  connect() {
    this.buttonTarget.disabled = !window.PublicKeyCredential;
  }

  async options() {
    if (this.hasAddressValue) {
      const answer = await fetch(this.addressValue, { headers: { "X-Requested-With": "XMLHttpRequest" } });
      if (!answer.ok) throw new Error("No options for a passkey.");
      return answer.json();
    }
    return JSON.parse(this.element.querySelector("script[type='application/json']").textContent);
  }

  async ask() {
    this.complaintTarget.hidden = true;
    try {
      const { creation_options: create, request_options: request } = await this.options();
      const publicKey = decoded((create ?? request).publicKey);
      const credential = await navigator.credentials[create ? "create" : "get"]({ publicKey });
      this.credentialTarget.value = JSON.stringify(encoded(credential));
      this.element.requestSubmit();
    } catch {
      this.complaintTarget.hidden = false; // cancelled, timed out, or a key that is not known here
    }
  }
}
