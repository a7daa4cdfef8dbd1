/** Random numbers that can be had again: the seed is printed, and the variable SEED repeats it. */

/** @returns {{ seed: number, below: (limit: number) => number }} `below` gives integers from 0 */
export function seededRandom() {
  const seed = process.env.SEED ? Number(process.env.SEED) : Math.floor(Math.random() * 2 ** 32);
  console.log(`SEED=${seed}`);
  let state = seed;
  const below = (/** @type {number} */ limit) => {
    // A linear congruence with the constants of Numerical Recipes: its upper bits do for offsets.
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * limit);
  };
  return { seed, below };
}

/**
 * @param {number} count
 * @param {number} limit
 * @returns {number[]} different integers from 1 to `limit` - 1, in order
 */
export function randomOffsets(count, limit) {
  const { below } = seededRandom();
  const offsets = new Set();
  while (offsets.size < count) offsets.add(1 + below(limit - 1));
  return [...offsets].sort((one, other) => one - other);
}
