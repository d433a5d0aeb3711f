// An address such as `?message=<id>` or `#m-<id>` leads to its message; the server has rendered the page around the former.

export function showLinked(thread, follow) {
  const id = new URLSearchParams(location.search).get("message") ?? location.hash.replace(/^#m-/, "");
  const article = id && thread.find(id);
  if (!article) return;
  follow.isAtEnd = false;
  article.scrollIntoView({ block: "center" });
  article.dataset.highlighted = "";
  article.focus({ preventScroll: true });
}

/** Where the answer to a command leads, if anywhere: a download, a tab beside the conversation, another page. */
export function goWhere(data, saveUrl) {
  if (data?.download) location.assign(saveUrl + new URL(data.download, location).search);
  else if (data?.tab) window.dispatchEvent(new CustomEvent("context:show", { detail: { tab: data.tab } }));
  else if (data?.open) location.assign(data.open);
}
