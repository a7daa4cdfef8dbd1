/**
 * Waits until a promise settles, one way or the other, but no longer than `patienceMs`.
 *
 * @param {Promise<unknown>} promise
 * @param {number} patienceMs
 * @returns {Promise<void>} Never rejects.
 */
export async function settleWithin(promise, patienceMs) {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  const patience = new Promise((resolve) => (timer = setTimeout(resolve, patienceMs)));
  await Promise.race([promise.catch(() => {}), patience]);
  clearTimeout(timer);
}
