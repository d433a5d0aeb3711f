import { announce } from "core/toast";
import { t } from "core/words";

/** True when it is there. A browser may refuse: then the reader is told what to do instead. */
export async function copyText(text, word = "copied") {
  try {
    await navigator.clipboard.writeText(text);
    announce(t(word));
    return true;
  } catch {
    announce(t("copy_failed"));
    return false;
  }
}

/** The text of an element. Without the clipboard (no permission, or a page without https) it is selected and copied the
 * old way; false when that is refused too: it stays selected for the reader's own copy. */
export async function copyElement(element) {
  try {
    await navigator.clipboard.writeText(element.innerText.trim());
    return true;
  } catch {
    getSelection().selectAllChildren(element);
    return document.execCommand("copy");
  }
}
