import { writeStored } from "./stored_choice.js";

// theme.js reads the same, before the first paint.
const STORED_AS = "qwisp.theme";

/** @returns {string} `light`, `dark`, or `system` */
export function currentTheme() {
  return document.documentElement.dataset.theme ?? "system";
}

/** @param {string} theme */
export function chooseTheme(theme) {
  if (theme === "light" || theme === "dark") {
    document.documentElement.dataset.theme = theme;
    writeStored(STORED_AS, theme);
  } else {
    delete document.documentElement.dataset.theme;
    writeStored(STORED_AS, null);
  }
  paintBrowser();
}

/** The colour that browsers give their own parts around the page. */
export function paintBrowser() {
  const theme = currentTheme();
  for (const meta of document.querySelectorAll('meta[name="theme-color"]')) {
    const scheme = meta.getAttribute("data-scheme");
    const media = theme === "system" ? `(prefers-color-scheme: ${scheme})` : theme === scheme ? "all" : "not all";
    meta.setAttribute("media", media);
  }
}
