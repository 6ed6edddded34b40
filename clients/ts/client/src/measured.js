// What a caller says of its numbers, where they are not as the model takes them.

/**
 * @typedef {object} Measured
 * @property {string} [units] in which they are, such as "m/s²,deg/s"
 * @property {string} [axes] as which they are, such as "acc=-x-y-z"
 * @property {number} [sampleRateHz] their rate, which the service refuses where the model has
 *   another one
 */

/**
 * What is said, as bodies and addresses have it.
 * @param {Measured} [measured]
 * @returns {Record<string, string | number>}
 */
export function measuredFields({ units, axes, sampleRateHz } = {}) {
  return {
    ...(units ? { units } : {}),
    ...(axes ? { axes } : {}),
    ...(sampleRateHz === undefined ? {} : { sample_rate_hz: sampleRateHz }),
  };
}
