// Runs before the first paint: the theme the person chose, else the system's; and their time zone, which the
// server needs to write times. Both live in cookies, so that the next page already arrives right.
(() => {
  const root = document.documentElement;
  const keep = (name, value) => {
    document.cookie = `${name}=${value}; path=/; max-age=31536000; samesite=lax`;
  };
  if (!root.dataset.theme) {
    root.dataset.theme = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
  }
  keep("sd_zone", Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC");
  document.addEventListener("click", (event) => {
    const button = event.target.closest?.("[data-theme-toggle]");
    if (!button) return;
    root.dataset.theme = root.dataset.theme === "dark" ? "light" : "dark";
    keep("sd_theme", root.dataset.theme);
    document.dispatchEvent(new CustomEvent("sd:theme"));
  });
})();
