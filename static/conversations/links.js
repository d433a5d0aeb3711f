// An address such as `#m-<id>` or `?message=<number>` leads to its message, wherever in the conversation it is.

export async function showLinked(thread, follow) {
  const number = Number(new URLSearchParams(location.search).get("message"));
  if (number) await thread.show(number).catch(() => null);
  const article = number ? thread.articles.find(({ dataset }) => Number(dataset.number) === number) : thread.find(location.hash.slice("#m-".length));
  if (!article) return;
  follow.isAtEnd = false;
  article.scrollIntoView({ block: "center" });
  article.dataset.highlighted = "";
  article.focus({ preventScroll: true });
}
