/** The icons of buttons: lines in a square of 24. */

const PATHS = {
  close: "M6 6l12 12M18 6L6 18",
  copy: "M9 9h10v11H9zM15 9V4H5v11h4",
  edit: "M4.500 19.500v-4L15 5l4 4L8.500 19.500zM12.500 7.500l4 4",
  lock: "M6 11h12v9H6zM8.500 11V8a3.500 3.500 0 0 1 7 0v3",
  more: "M5.500 12h.01M12 12h.01M18.500 12h.01",
  next: "M10 6l6 6-6 6",
  previous: "M14 6l-6 6 6 6",
  retry: "M19 12a7 7 0 1 1-2.200-5.100L19 9M19 4.500V9h-4.500",
};

/** @typedef {keyof typeof PATHS} IconName */

const SVG = "http://www.w3.org/2000/svg";

/** @param {IconName} name */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  svg.classList.add("icon");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", PATHS[name]);
  svg.append(path);
  return svg;
}
