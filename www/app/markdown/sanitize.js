/** The only way from a text of HTML into the page: what isn't on these lists is removed. */
import DOMPurify from "../vendor/dompurify.js";

const TEXT_TAGS = [
  ..."a b blockquote br code del em h3 h4 h5 h6 hr i kbd li ol p pre s strong sub sup u ul".split(" "),
  ..."table tbody td th thead tr".split(" "),
];
const TEXT_ATTRIBUTES = ["align", "class", "href", "start", "title"];
/** Classes that our own renderer writes. */
const TEXT_CLASS = /^(?:language-[\w+#.-]{1,24}|math-(?:display|inline))$/;

const MATH_TAGS = [
  ..."math menclose merror mfrac mi mmultiscripts mn mo mover mpadded mphantom mprescripts mroot mrow ms".split(" "),
  ..."mspace msqrt mstyle msub msubsup msup mtable mtd mtext mtr munder munderover none".split(" "),
];
const MATH_ATTRIBUTES = [
  ..."accent accentunder columnalign columnlines columnspan depth dir display displaystyle fence form height".split(
    " ",
  ),
  ..."largeop linethickness lspace mathvariant maxsize minsize movablelimits notation rowlines rowspan rspace".split(
    " ",
  ),
  ..."scriptlevel separator stretchy symmetric voffset width".split(" "),
];

const COMMON = {
  ALLOW_ARIA_ATTR: false,
  ALLOW_DATA_ATTR: false,
  ALLOW_UNKNOWN_PROTOCOLS: false,
  ALLOWED_URI_REGEXP: /^(?:https?:\/\/|mailto:)/i,
  RETURN_DOM_FRAGMENT: /** @type {const} */ (true),
};

const purifier = DOMPurify(window);
purifier.addHook("uponSanitizeAttribute", (_element, attribute) => {
  const { attrName, attrValue } = attribute;
  if (attrName === "class") attribute.keepAttr = TEXT_CLASS.test(attrValue) || /^hljs-[a-z_ -]*$/.test(attrValue);
});

/**
 * @param {string} html what the Markdown renderer made of an answer
 * @returns {DocumentFragment}
 */
export function sanitizeText(html) {
  return purify(html, TEXT_TAGS, TEXT_ATTRIBUTES);
}

/**
 * @param {string} html code with its parts in `<span class="hljs-…">`
 * @returns {DocumentFragment}
 */
export function sanitizeCode(html) {
  return purify(html, ["span"], ["class"]);
}

/**
 * @param {string} mathml
 * @returns {DocumentFragment}
 */
export function sanitizeMath(mathml) {
  return purify(mathml, MATH_TAGS, MATH_ATTRIBUTES);
}

/**
 * @param {string} html
 * @param {string[]} tags
 * @param {string[]} attributes
 */
function purify(html, tags, attributes) {
  return purifier.sanitize(html, {
    ...COMMON,
    ALLOWED_TAGS: tags,
    ALLOWED_ATTR: attributes,
    // All others are held against the pattern of addresses.
    ADD_URI_SAFE_ATTR: attributes.filter((name) => name !== "href"),
  });
}
