/** Figures in words that people read, in the language of the page. */
import { currentLanguage, translate } from "./i18n.js";

/**
 * Decimal units, as browsers and shops count.
 *
 * @param {number} bytes
 */
export function formatBytes(bytes) {
  if (bytes >= 1e9) return `${formatNumber(bytes / 1e9, 2)} GB`;
  if (bytes >= 1e6) return `${formatNumber(Math.round(bytes / 1e6))} MB`;
  return `${formatNumber(Math.ceil(bytes / 1e3))} kB`;
}

/** @param {number} seconds */
export function formatTimeLeft(seconds) {
  if (seconds < 60) return translate("time.secondsLeft", { count: Math.max(1, Math.ceil(seconds)) });
  if (seconds < 3600) return translate("time.minutesLeft", { count: Math.ceil(seconds / 60) });
  return translate("time.hoursLeft", { count: Math.round(seconds / 360) / 10 });
}

/** @param {number} ms */
export function formatDuration(ms) {
  return ms < 1000 ? `${Math.round(ms)} ms` : `${formatNumber(ms / 1000, 1)} s`;
}

/** @param {number} perSecond */
export function formatRate(perSecond) {
  return formatNumber(perSecond, perSecond < 10 ? 1 : 0);
}

/** @param {number} value @param {number} [digits] after the decimal point */
export function formatNumber(value, digits = 0) {
  const options = { minimumFractionDigits: digits, maximumFractionDigits: digits };
  return value.toLocaleString(currentLanguage(), options);
}

/** @param {number} count @param {string} noun in English */
export function formatCount(count, noun) {
  return `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;
}
