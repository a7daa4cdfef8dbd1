/** Colours for code. The highlighter and each language are loaded when the first code of that language is complete. */
import { sanitizeCode } from "./sanitize.js";

/** The names that code goes by, by the language that the highlighter knows. */
const NAMES = {
  bash: ["bash", "sh", "shell", "zsh", "console"],
  c: ["c", "h"],
  cpp: ["cpp", "c++", "cc", "hpp"],
  css: ["css"],
  go: ["go", "golang"],
  java: ["java"],
  javascript: ["javascript", "js", "jsx", "mjs"],
  json: ["json", "jsonc"],
  python: ["python", "py", "python3"],
  rust: ["rust", "rs"],
  sql: ["sql"],
  typescript: ["typescript", "ts", "tsx"],
  xml: ["xml", "html", "svg"],
  yaml: ["yaml", "yml"],
};
/** More would hold up the page, and nobody reads so much of it. */
const MAX_CODE = 12_000;

/** @type {Map<string, string>} */
const languages = new Map(
  Object.entries(NAMES).flatMap(([language, names]) =>
    names.map((name) => /** @type {[string, string]} */ ([name, language])),
  ),
);
/** @type {Map<string, Promise<import("../vendor/highlight.js").default>>} */
const loading = new Map();

/**
 * @param {HTMLElement} code its text stays the same
 * @param {string} name as the answer calls the language
 */
export async function highlight(code, name) {
  const text = code.textContent ?? "";
  const language = languages.get(name.toLowerCase());
  if (language === undefined || text.length > MAX_CODE) return;
  try {
    const highlighter = await load(language);
    if (code.textContent !== text) return;
    code.replaceChildren(sanitizeCode(highlighter.highlight(text, { language, ignoreIllegals: true }).value));
  } catch (error) {
    console.warn(`No colours for code in ${language}:`, error); // code without colours is code all the same
  }
}

/** @param {string} language */
function load(language) {
  let promise = loading.get(language);
  if (!promise) {
    promise = (async () => {
      const [{ default: highlighter }, { default: grammar }] = await Promise.all([
        import("../vendor/highlight.js"),
        import(`../vendor/highlight/${language}.js`),
      ]);
      highlighter.registerLanguage(language, grammar);
      return highlighter;
    })();
    loading.set(language, promise);
    promise.catch(() => loading.delete(language));
  }
  return promise;
}
