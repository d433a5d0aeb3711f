// Before the page is drawn: the reference has its own dark theme and wants a class for it.

{
  const system = matchMedia("(prefers-color-scheme: dark)");
  const { classList, dataset } = document.documentElement;
  const apply = () => classList.toggle("dark-mode", dataset.theme ? dataset.theme === "dark" : system.matches);
  apply();
  system.addEventListener("change", apply);
}
