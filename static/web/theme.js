import { post } from "core/http";

/** `light`, `dark` or `auto`. Seen at once; kept by the server, which writes it on every page. */
export function setTheme(theme) {
  if (theme === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  return post(`/theme/?${new URLSearchParams({ theme })}`).catch(() => null); // without it the page keeps it till it is left
}
