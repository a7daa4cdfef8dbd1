/**
 * The element with this id, which the page is known to have.
 *
 * @template {HTMLElement} T
 * @param {string} id
 * @param {new () => T} type
 * @returns {T}
 */
export function byId(id, type) {
  const found = document.getElementById(id);
  if (!(found instanceof type)) throw new Error(`#${id}: expected a ${type.name} in the page, got ${found}`);
  return found;
}

/**
 * A new element. Children that are strings become text, never markup.
 *
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {Partial<HTMLElementTagNameMap[K]>} [properties]
 * @param {(Node | string)[]} children
 * @returns {HTMLElementTagNameMap[K]}
 */
export function element(tag, properties = {}, ...children) {
  const created = Object.assign(document.createElement(tag), properties);
  created.append(...children);
  return created;
}

/** Whether what has the focus can't be seen any more: browsers take the focus from it soon, and give it to nothing. */
export function isFocusHidden() {
  return document.activeElement?.getClientRects().length === 0;
}

/**
 * Whether an input method composes a character: then Enter and Escape belong to it. Safari's last event of a composition
 * is known by its code alone.
 *
 * @param {KeyboardEvent} event
 */
export function isComposing(event) {
  return event.isComposing || event.keyCode === 229;
}
