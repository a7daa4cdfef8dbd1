/** Maths: TeX into MathML, which browsers draw by themselves. The library is loaded for the first formula. */
import { sanitizeMath } from "./sanitize.js";

/** As many formulas are kept, for texts that are shown again and again while they grow. */
const MAX_KEPT = 300;
/** By TeX and kind. @type {Map<string, Node>} */
const kept = new Map();
/** @type {import("../vendor/temml.js").default | null} */
let temml = null;
/** @type {Promise<unknown> | null} */
let loading = null;

/**
 * Puts a formula in the place of its TeX, now or when the library is there.
 *
 * @param {HTMLElement} code an element with the TeX, of the class `math-display` or `math-inline`
 */
export function typeset(code) {
  if (temml) {
    replaceByFormula(code, temml);
    return;
  }
  loading ??= import("../vendor/temml.js").then(({ default: library }) => (temml = library));
  loading.then(
    () => temml && replaceByFormula(code, temml),
    (error) => {
      loading = null;
      console.warn("No formulas:", error); // TeX can be read, too
    },
  );
}

/**
 * @param {HTMLElement} code
 * @param {import("../vendor/temml.js").default} library
 */
function replaceByFormula(code, library) {
  const tex = code.textContent ?? "";
  const displayMode = code.className === "math-display";
  const key = `${displayMode} ${tex}`;
  let formula = kept.get(key);
  if (!formula) {
    const made = makeFormula(tex, displayMode, library);
    if (!made) return;
    formula = made;
    kept.set(key, formula);
    if (kept.size > MAX_KEPT) kept.delete(/** @type {string} */ (kept.keys().next().value));
  }
  code.replaceWith(formula.cloneNode(true));
}

/**
 * @param {string} tex
 * @param {boolean} displayMode
 * @param {import("../vendor/temml.js").default} library
 * @returns {Node | null} null for TeX that can't be read, which then stays as it is
 */
function makeFormula(tex, displayMode, library) {
  try {
    const mathml = library.renderToString(tex, { displayMode, trust: false, maxExpand: 200, maxSize: [20, 20] });
    // The page allows no styles in attributes; the browser would complain about each.
    const fragment = sanitizeMath(mathml.replace(/ style="[^"]*"/g, ""));
    return fragment.firstElementChild;
  } catch {
    return null;
  }
}
