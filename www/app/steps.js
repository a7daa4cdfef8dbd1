/** Does long work in short steps, so that the page answers people in between. */

/** Of the 16 ms of a frame, what others can spare. */
const SLICE_MS = 8;

/**
 * @param {() => boolean} step does a little, and says whether there is more
 * @param {{ signal: AbortSignal, onSlice?: () => void }} options `onSlice` is called after each slice of time
 */
export async function runInSteps(step, { signal, onSlice }) {
  while (!signal.aborted) {
    const start = performance.now();
    let isMore = true;
    while (isMore && performance.now() - start < SLICE_MS) isMore = step();
    onSlice?.();
    if (!isMore) return;
    await new Promise((resolve) => setTimeout(resolve));
  }
}
