/** Finds elements by what people see of them. Runs inside a page, so it uses nothing from outside its one function. */

/**
 * @typedef {{ pattern: string, flags: string }} WantedText a regular expression
 *
 * @typedef {{ by: "role", value: string, text?: WantedText }
 *   | { by: "text" | "label", text: WantedText }
 *   | { by: "selector", value: string }
 *   | { by: "place", value: number }} Step the last one picks one of what was found; -1 is the last
 */

/**
 * @param {Step[]} steps each looks within what the one before found
 * @param {boolean} visible whether only what can be seen counts
 * @returns {HTMLElement[]} in the order of the page
 */
export function findElements(steps, visible) {
  /** @type {Record<string, string>} */
  const selectorsOfRoles = {
    alert: "[role=alert]",
    banner: "body > header, [role=banner]",
    button: "button:not([role]), [role=button]",
    combobox: "select, input[list]",
    dialog: "dialog, [role=dialog]",
    heading: "h1, h2, h3, h4, h5, h6",
    log: "[role=log]",
    main: "main",
    menuitem: "[role=menuitem]",
    searchbox: "input[type=search]",
    spinbutton: "input[type=number]",
    status: "output, [role=status]",
    textbox: "textarea, input:not([type], [list]), input[type=text]:not([list])",
  };
  const textOf = (/** @type {Element} */ element) => (element.textContent ?? "").replace(/\s+/g, " ").trim();
  const matches = (/** @type {string} */ text, /** @type {WantedText} */ { pattern, flags }) =>
    new RegExp(pattern, flags).test(text);
  const labelOf = (/** @type {any} */ element) =>
    element.getAttribute("aria-label") ?? [...(element.labels ?? [])].map(textOf).join(" ");

  /**
   * @param {ParentNode} root
   * @param {Step} step
   * @returns {Element[]}
   */
  const findWithin = (root, step) => {
    const all = (/** @type {string} */ selector) => [...root.querySelectorAll(selector)];
    switch (step.by) {
      case "selector":
        return all(step.value);
      case "place":
        throw new Error("a place is picked of what was found");
      case "label":
        return all("input, textarea, select, button").filter((element) => matches(labelOf(element), step.text));
      case "role": {
        const { text } = step;
        const selector = selectorsOfRoles[step.value];
        if (!selector) throw new Error(`findElements does not know the role ${step.value}`);
        return all(selector).filter((element) => !text || matches(labelOf(element) || textOf(element), text));
      }
      case "text": {
        // The innermost elements with the text, not all those around them. What is looked within may itself be one.
        const candidates = [...(root instanceof Element ? [root] : []), ...all("*")];
        const found = candidates.filter((element) => matches(textOf(element), step.text));
        return found.filter((element) => !found.some((other) => other !== element && element.contains(other)));
      }
    }
  };

  const isWanted = (/** @type {Element} */ element) =>
    !visible || element.checkVisibility({ visibilityProperty: true });
  /** @type {ParentNode[]} */
  let found = [document];
  for (const step of steps) {
    if (step.by === "place") {
      const picked = found.filter((element) => isWanted(/** @type {Element} */ (element))).at(step.value);
      found = picked ? [picked] : [];
    } else {
      found = [...new Set(found.flatMap((root) => findWithin(root, step)))];
    }
  }
  return /** @type {HTMLElement[]} */ (found.filter((element) => isWanted(/** @type {Element} */ (element))));
}
