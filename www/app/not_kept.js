import { formatBytes } from "./format.js";
import { translate } from "./i18n.js";

/**
 * Why a model isn't kept on this device.
 *
 * @param {import("../qwisp.js").NotKept} notKept
 */
export function describeNotKept({ reason, missingBytes }) {
  if (reason === "refused") return translate("notKept.refused");
  return missingBytes
    ? translate("notKept.noRoomFor", { size: formatBytes(missingBytes) })
    : translate("notKept.noRoom");
}
