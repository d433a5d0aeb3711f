// What htmx asked for and did not get: nobody is signed in any more, the server refused, or did not answer.

import { failedIn } from "core/notices";
import { t } from "core/words";

const FAILED = ["htmx:sendError", "htmx:responseError", "htmx:timeout"];

/** Said where it would have stood. Tabs say it themselves. */
export function tellRefusals() {
  for (const name of FAILED) document.addEventListener(name, ({ detail: { elt, target, xhr } }) => {
    const isOut = xhr.status === 401;
    if (isOut) window.dispatchEvent(new CustomEvent("signed-out"));
    if (elt.role !== "tab") failedIn(target, t(isOut ? "signed_out" : "request_failed"));
  });
}
