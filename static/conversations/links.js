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
