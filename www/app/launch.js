import { readPageOptions } from "./page_options.js";

/**
 * Calls `run` when somebody starts the installed application, by its icon or a shortcut, with what the address asks for. If
 * the application is open already, it is not loaded again: the model stays.
 *
 * @param {(options: import("./page_options.js").PageOptions) => void} run
 */
export function onLaunch(run) {
  const { launchQueue } =
    /** @type {{ launchQueue?: { setConsumer(consumer: (launch: { targetURL?: string }) => void): void } }} */ (
      /** @type {unknown} */ (window)
    );
  launchQueue?.setConsumer(({ targetURL }) => {
    if (targetURL) run(readPageOptions(new URL(targetURL).search));
  });
}
