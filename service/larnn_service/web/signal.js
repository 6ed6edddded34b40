// From a phone's readings to the channels of UCI HAR, step by step, as the data set was made.

export const RATE = 50;

/** What `Preparation` makes of a reading: the data set's nine channels, then the reading itself. */
export const CHANNELS = ["body_acc", "body_gyro", "total_acc", "acc", "gyro"].flatMap((name) =>
  ["x", "y", "z"].map((axis) => `${name}_${axis}`),
);

/** A causal Butterworth low-pass (bilinear), which starts as if the first value had always been. */
export class LowPass {
  #sections;
  #started = false;

  /** `order` poles at `cutoff` hertz. */
  constructor(order, cutoff) {
    const k = Math.tan((Math.PI * cutoff) / RATE);
    const pairs = Array.from({ length: order >> 1 }, (_, pair) => {
      const damping = 2 * Math.sin((Math.PI * (2 * pair + 1)) / (2 * order));
      const norm = 1 + damping * k + k * k;
      const b = (k * k) / norm;
      return { b: [b, 2 * b, b], a: [2 * (k * k - 1), 1 - damping * k + k * k].map((c) => c / norm) };
    });
    const single = { b: [k / (1 + k), k / (1 + k), 0], a: [(k - 1) / (k + 1), 0] };
    this.#sections = [...pairs, ...(order % 2 ? [single] : [])].map((s) => ({ ...s, z: [0, 0] }));
  }

  push(value) {
    if (!this.#started) {
      for (const { b, a, z } of this.#sections) {
        z[0] = value * (1 - b[0]);
        z[1] = value * (b[2] - a[1]);
      }
      this.#started = true;
    }
    for (const { b, a, z } of this.#sections) {
      const out = b[0] * value + z[0];
      z[0] = b[1] * value - a[0] * out + z[1];
      z[1] = b[2] * value - a[1] * out;
      value = out;
    }
    return value;
  }
}

/** The median of three neighbours: says the middle one when the third has come. */
class Median {
  #last = [];

  push(value) {
    const [before, middle] = this.#last.length ? this.#last : [value, value];
    this.#last = [middle, value];
    return Math.max(Math.min(before, middle), Math.min(Math.max(before, middle), value));
  }
}

/** From readings of six values, acceleration in g and rotation in rad/s, to CHANNELS. */
export class Preparation {
  #axes = Array.from({ length: 6 }, (_, axis) => ({
    median: new Median(),
    noise: new LowPass(10, 20),
    slow: axis < 3 ? new LowPass(3, 0.3) : new LowPass(2, 0.1), // gravity, the gyroscope's drift
  }));

  /** Values in the order of CHANNELS; what is filtered is of the reading before this one. */
  push(reading) {
    const total = reading.map((value, axis) => {
      const { median, noise } = this.#axes[axis];
      return noise.push(median.push(value));
    });
    const moving = total.map((value, axis) => value - this.#axes[axis].slow.push(value));
    return [...moving, ...total.slice(0, 3), ...reading];
  }
}
