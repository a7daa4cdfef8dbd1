// Sets the chosen theme before the first paint, so this is a plain script that the page's head waits for. Without a choice
// the colours follow the system.
(() => {
  try {
    const theme = localStorage.getItem("qwisp.theme");
    if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
  } catch {
    // Storage may be forbidden.
  }
})();
