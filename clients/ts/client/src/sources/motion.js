// A phone's motion: readings of its accelerometer and gyroscope at a fixed rate.

const RADIANS = Math.PI / 180;
const GRAVITY = 9.80665; // m/s²
const PATIENCE = 2000; // milliseconds

/**
 * Six numbers: acceleration with gravity in g, then rotation in rad/s, along and around x, y and z.
 * @typedef {number[]} Reading
 */

/** Readings at any times, in milliseconds, to readings at a fixed rate, by linear interpolation. */
export class Resampler {
  #step;
  #longestGap;
  /** @type {{time: number, reading: Reading} | undefined} */ #before;
  #next = 0;

  /**
   * @param {number} [rate] in hertz
   * @param {number} [longestGap] milliseconds after which it begins anew
   */
  constructor(rate = 50, longestGap = 500) {
    this.#step = 1000 / rate;
    this.#longestGap = longestGap;
  }

  /**
   * The readings that fall between the last one and this one.
   * @param {number} time
   * @param {Reading} reading
   */
  push(time, reading) {
    const before = this.#before;
    this.#before = { time, reading };
    if (!before || time - before.time > this.#longestGap) {
      this.#next = time + this.#step;
      return [reading];
    }
    const found = [];
    for (; this.#next <= time; this.#next += this.#step) {
      const part = (this.#next - before.time) / (time - before.time);
      const from = before.reading;
      found.push(from.map((value, axis) => value + part * ((reading[axis] ?? value) - value)));
    }
    return found;
  }
}

/**
 * A devicemotion event's reading, x up for a phone on its side. Null where sensors are missing.
 * @param {DeviceMotionEvent} event
 * @param {{upright: boolean, sign: number}} axes `upright`: the phone stands, so its y axis is that
 *   x. `sign`: -1 where the browser tells gravity's direction instead of the resting phone's
 *   acceleration
 * @returns {Reading | null}
 */
export function readings({ accelerationIncludingGravity, rotationRate }, { upright, sign }) {
  const { x, y, z } = accelerationIncludingGravity ?? {};
  const { alpha, beta, gamma } = rotationRate ?? {}; // browsers: around x, y and z
  const values = [x, y, z, alpha, beta, gamma];
  if (!values.every((value) => typeof value === "number")) return null;
  const [ax, ay, az, bx, by, bz] = /** @type {[number, number, number, number, number, number]} */ (
    values.map((value, axis) => (axis < 3 ? (sign * value) / GRAVITY : value * RADIANS))
  );
  return upright ? [ay, -ax, az, by, -bx, bz] : [ax, ay, az, bx, by, bz];
}

/** This phone's accelerometer and gyroscope. */
export class MotionSensor {
  #axes;
  #rate;
  /** @type {((event: DeviceMotionEvent) => void) | undefined} */ #listener;
  /** @type {() => void} */ #wait = () => {};
  /** @type {ReturnType<typeof setTimeout> | undefined} */ #patience;
  /** @type {WakeLockSentinel | null | undefined} */ #awake;
  #listens = false;

  /** @param {{upright?: boolean, rate?: number}} [options] `rate` in hertz */
  constructor({ upright = false, rate = 50 } = {}) {
    this.#axes = { upright, sign: isApple() ? -1 : 1 };
    this.#rate = rate;
  }

  /** Why there is nothing to read here, or null. */
  static missing() {
    if (!window.isSecureContext) return "Browsers give a phone’s sensors to https pages only.";
    return "DeviceMotionEvent" in window ? null : "This browser has no motion sensors.";
  }

  /** Ask the person, where the browser wants that; in answer to a touch. Throws when refused. */
  static async allow() {
    const asking = /** @type {{requestPermission?: () => Promise<string>}} */ (
      /** @type {unknown} */ (DeviceMotionEvent)
    );
    const answer = await asking.requestPermission?.();
    if (answer === "denied") throw new Error("The browser was told to keep its sensors to itself.");
  }

  /**
   * `take` gets each reading, at the rate. `silent` is called when none comes for 2 seconds of a
   * page that can be seen: a hidden one gets none.
   * @param {(reading: Reading) => void} take
   * @param {() => void} silent
   */
  start(take, silent) {
    const resampler = new Resampler(this.#rate);
    this.#wait = () => {
      clearTimeout(this.#patience);
      this.#patience = setTimeout(() => (document.hidden ? this.#wait() : silent()), PATIENCE);
    };
    this.#listener = (event) => {
      const reading = readings(event, this.#axes);
      if (reading === null) return;
      this.#wait();
      resampler.push(event.timeStamp, reading).forEach(take);
    };
    this.#listens = true;
    window.addEventListener("devicemotion", this.#listener);
    document.addEventListener("visibilitychange", this.#shown);
    this.#shown();
  }

  stop() {
    this.#listens = false;
    clearTimeout(this.#patience);
    this.#awake?.release();
    if (this.#listener) window.removeEventListener("devicemotion", this.#listener);
    document.removeEventListener("visibilitychange", this.#shown);
  }

  /** The page is shown, or hidden: a browser takes the lock from a hidden one, for good. */
  #shown = () => {
    this.#wait();
    if (!document.hidden) this.#keepAwake();
  };

  /** A screen that goes dark takes the sensors with it. Not every browser can help. */
  async #keepAwake() {
    const awake = await navigator.wakeLock?.request("screen").catch(() => null);
    const spare = this.#listens ? this.#awake : awake; // an older one, or one that came too late
    spare?.release();
    if (this.#listens) this.#awake = awake;
  }
}

/** Safari on phones and tablets, whose acceleration has the other sign. */
function isApple() {
  return (
    /iPhone|iPad|iPod/.test(navigator.userAgent) ||
    (/Macintosh/.test(navigator.userAgent) && navigator.maxTouchPoints > 1)
  );
}
