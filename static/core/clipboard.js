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
