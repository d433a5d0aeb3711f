// A form of a page that is older than the sign-in in another tab carries an old token: it takes the new one before it goes, or stays
// here, with what was typed, while nobody or somebody else is signed in.

import { renewToken } from "core/http";

export function renewOlderForms() {
  if (!document.body.dataset.viewerId) return;
  let wasAway = false;
  addEventListener("blur", () => { wasAway = true; });
  addEventListener("pageshow", ({ persisted }) => { wasAway ||= persisted; });
  document.addEventListener("submit", (event) => {
    const { target: form, submitter } = event;
    if (!wasAway || event.defaultPrevented || !form.querySelector('input[name="csrfmiddlewaretoken"]')) return;
    event.preventDefault();
    renewToken().catch(() => true).then((isSamePerson) => { // not answered: it goes as it is, and the server says what it thinks of it
      if (!isSamePerson) return window.dispatchEvent(new CustomEvent("signed-out"));
      wasAway = false;
      return form.requestSubmit(submitter);
    });
  });
}
