/**
 * Whether the engine does well, judged from its own figures. Knows no page.
 *
 * @typedef {"healthy" | "degraded" | "failing"} HealthLevel
 * @typedef {import("./i18n.js").MessageKey} MessageKey
 *
 * @typedef {object} HealthFigures
 * @property {import("../engine/qwisp.d.ts").EngineInfo["backend"]} backend
 * @property {boolean} isStored Whether the model is kept on this device, or a file of it.
 * @property {number} contextLength In tokens.
 * @property {number} contextTokens Taken by the last answer with all before it.
 * @property {number[]} speeds Decoded tokens per second of the answers so far, the last one last.
 * @property {number} droppedMessages Left out of the last answer's prompt.
 * @property {import("../engine/qwisp.d.ts").ErrorKind[]} failures Since the last answer that came through.
 * @property {boolean} hasFailedChecks Whether this GPU failed some of its self-tests.
 *
 * @typedef {{ key: MessageKey, values?: Record<string, string | number> }} Advice
 */

/** People read four to five words a second at most, which is about six tokens. */
const READING_SPEED = 6;
/** Slower than this part of the best is more than the noise of a measurement. */
const SLOWED = 0.6;
/** How full a context is when it is time to say so. */
const NEARLY_FULL = 0.85;
/** So many failed answers in a row are no accident. */
const FAILURES_IN_A_ROW = 2;

/** Failures that say nothing about the engine. */
const HARMLESS = new Set(["aborted", "invalid-argument", "context-full"]);

/**
 * @param {HealthFigures} figures
 * @returns {{ level: HealthLevel, advice: Advice[] }} The most important advice first; at least one.
 */
export function judgeHealth(figures) {
  const failing = findFailing(figures);
  const degraded = findDegraded(figures);
  const notes = findNotes(figures);
  /** @type {HealthLevel} */
  const level = failing.length ? "failing" : degraded.length ? "degraded" : "healthy";
  const advice = [...failing, ...degraded, ...notes];
  return { level, advice: advice.length ? advice : [{ key: "health.advice.fine" }] };
}

/** @param {HealthFigures} figures @returns {Advice[]} */
function findFailing({ failures }) {
  const serious = failures.filter((kind) => !HARMLESS.has(kind));
  const last = serious.at(-1);
  if (last === "out-of-memory") return [{ key: "health.advice.outOfMemory" }];
  if (last === "device-lost") return [{ key: "health.advice.deviceLost" }];
  if (last === "unloaded" || last === "internal") return [{ key: "health.advice.dead" }];
  return serious.length >= FAILURES_IN_A_ROW ? [{ key: "health.advice.failures" }] : [];
}

/** @param {HealthFigures} figures @returns {Advice[]} */
function findDegraded({ speeds, contextTokens, contextLength, failures, droppedMessages }) {
  /** @type {Advice[]} */
  const found = [];
  const last = speeds.at(-1);
  const best = Math.max(...speeds);
  if (last !== undefined && last < SLOWED * best) {
    found.push({ key: "health.advice.slower", values: { rate: rounded(last), best: rounded(best) } });
  } else if (last !== undefined && last < READING_SPEED) {
    found.push({ key: "health.advice.slow" });
  }
  const isFull = contextTokens > NEARLY_FULL * contextLength || failures.at(-1) === "context-full";
  if (droppedMessages > 0) found.push({ key: "health.advice.turnsDropped" });
  else if (isFull) found.push({ key: "health.advice.contextNearlyFull" });
  return found;
}

/** What is good to know, and no fault. @param {HealthFigures} figures @returns {Advice[]} */
function findNotes({ backend, isStored, hasFailedChecks }) {
  /** @type {Advice[]} */
  const found = [];
  if (hasFailedChecks) found.push({ key: "health.advice.checksFailed" });
  if (backend === "cpu") found.push({ key: "health.advice.cpu" });
  if (!isStored) found.push({ key: "health.advice.notStored" });
  return found;
}

/** @param {number} rate */
function rounded(rate) {
  return rate < 10 ? Math.round(10 * rate) / 10 : Math.round(rate);
}
