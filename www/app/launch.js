import { LAUNCH_PARAMETERS, readPageOptions } from "./page_options.js";

/**
 * Calls `run` when somebody starts the installed application while it is open, by its icon or a shortcut, with what the
 * address asks for. It is not loaded again: the model stays. For a link to something else it is.
 *
 * To be called when the page has done what its own address asks for: the launch that opened it is waiting by then, and after
 * a reload waits again, and is not a new one.
 *
 * @param {(options: import("./page_options.js").PageOptions) => void} run
 */
export function onLaunch(run) {
  const { launchQueue } =
    /** @type {{ launchQueue?: { setConsumer(consumer: (launch: { targetURL?: string }) => void): void } }} */ (
      /** @type {unknown} */ (window)
    );
  let isWaiting = true;
  launchQueue?.setConsumer(({ targetURL }) => {
    if (isWaiting || !targetURL) return;
    const { pathname, search, searchParams } = new URL(targetURL);
    const isOurs = [...searchParams.keys()].every((name) => LAUNCH_PARAMETERS.includes(name));
    if (isOurs && pathname === new URL("./", location.href).pathname) run(readPageOptions(search));
    else location.assign(targetURL);
  });
  isWaiting = false; // what was waiting was given at once
}
