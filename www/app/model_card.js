import { element } from "./dom.js";
import { formatBytes, formatRate } from "./format.js";
import { translate } from "./i18n.js";
import { describeChoice } from "./model_choices.js";
import { TASKS } from "./task_chips.js";

/**
 * @typedef {import("./model_choices.js").ModelChoice} ModelChoice
 * @typedef {import("../qwisp.js").StoredModel} StoredModel
 * @typedef {import("../qwisp.js").RankedModel} RankedModel
 */

/** From this rating on a model is said to be good at a task. */
const GOOD = 2;

/**
 * A model to choose: its name, size, what it is good at, and what is known of it on this device.
 *
 * @param {ModelChoice} choice
 * @param {{ value: string, rank: RankedModel | undefined, stored: StoredModel | undefined }} about
 */
export function modelCard(choice, { value, rank, stored }) {
  const facts = [describeTasks(choice), describeSpeed(rank)].filter(Boolean).join(" · ");
  return element(
    "label",
    { className: "model-choice" },
    element("input", { type: "radio", name: "model", value }),
    element(
      "span",
      { className: "model-name" },
      element("span", { dir: "auto" }, choice.name),
      ...badges(rank, stored),
    ),
    element("span", { className: "model-size" }, describeSize(choice)),
    element("span", { className: "model-description" }, describeChoice(choice)),
    ...(facts ? [element("span", { className: "model-facts" }, facts)] : []),
  );
}

/** @param {RankedModel | undefined} rank @param {StoredModel | undefined} stored */
function badges(rank, stored) {
  const found = [];
  if (rank?.recommended) found.push(element("span", { className: "badge best" }, translate("models.recommended")));
  if (stored?.isComplete) found.push(element("span", { className: "badge" }, translate("models.stored")));
  else if (stored && stored.storedBytes > 0) {
    const percent = Math.floor((100 * stored.storedBytes) / stored.totalBytes);
    found.push(element("span", { className: "badge" }, translate("models.partial", { percent })));
  }
  if (rank?.fits === false) found.push(element("span", { className: "badge alarm" }, translate("models.tooLarge")));
  return found;
}

/** @param {ModelChoice} choice */
function describeTasks({ entry }) {
  const tasks = TASKS.filter((task) => (entry?.tasks?.[task] ?? 0) >= GOOD).map((task) => translate(`task.${task}`));
  return tasks.length ? translate("models.goodAt", { tasks: tasks.join(", ").toLocaleLowerCase() }) : "";
}

/** @param {RankedModel | undefined} rank */
function describeSpeed(rank) {
  return rank?.tokensPerSecond ? translate("models.speed", { rate: formatRate(rank.tokensPerSecond) }) : "";
}

/** @param {ModelChoice} choice */
function describeSize({ bytes }) {
  return bytes === null ? translate("start.sizeUnknown") : formatBytes(bytes);
}
