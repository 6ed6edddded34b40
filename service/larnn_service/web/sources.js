// Where readings come from: a recording, played at its own speed, or this phone.

import { Resampler, readings } from "./signal.js";

const TICK = 40; // milliseconds

/** A recording of people: raw readings, and what they did. */
export class Recording {
  #readings;
  #timer = 0;
  #played = 0;

  constructor({ title, activities }, rate, readings) {
    Object.assign(this, { title, activities, rate });
    this.#readings = readings;
  }

  /** `entry` of recordings/index.json, which also has the rate and the scales of the readings. */
  static async load(entry, { rate, scales }) {
    const response = await fetch(`web/recordings/${entry.name}.bin`);
    if (!response.ok) throw new Error(`the recording does not load: ${response.status}`);
    const counts = new DataView(await response.arrayBuffer());
    const readings = Array.from({ length: entry.steps }, (_, step) =>
      scales.map((scale, axis) => scale * counts.getInt16(2 * (step * scales.length + axis), true)),
    );
    return new Recording(entry, rate, readings);
  }

  /** Calls `take` with each reading in its time, `done` after the last. */
  start(take, done, speed) {
    const started = performance.now();
    this.#played = 0;
    this.#timer = setInterval(() => {
      const due = ((performance.now() - started) / 1000) * this.rate * speed;
      while (this.#played < Math.min(due, this.#readings.length)) {
        take(this.#readings[this.#played++]);
      }
      if (this.#played < this.#readings.length) return;
      this.stop();
      done();
    }, TICK);
  }

  stop() {
    clearInterval(this.#timer);
  }

  /** What the person did at a step, or null in between. */
  activity(step) {
    return this.activities.find(([, first, end]) => first <= step && step < end)?.[0] ?? null;
  }
}

/** This phone's accelerometer and gyroscope. */
export class Phone {
  #listener = null;
  #wait = null;
  #patience = 0;
  #awake = null;

  constructor(upright) {
    this.activities = [];
    this.axes = { upright, sign: isApple() ? -1 : 1 };
  }

  /** Why there is nothing to read here, or null. */
  static missing() {
    if (!window.isSecureContext) return "Browsers give a phone’s sensors to https pages only.";
    return "DeviceMotionEvent" in window ? null : "This browser has no motion sensors.";
  }

  /** Ask the person, where the browser wants that; in answer to a touch. Throws when refused. */
  static async allow() {
    const answer = await DeviceMotionEvent.requestPermission?.();
    if (answer === "denied") throw new Error("The browser was told to keep its sensors to itself.");
  }

  /**
   * Calls `take` with each reading, at 50 Hz. `silent` is called when none comes for 2 seconds of
   * a page that can be seen: a hidden one gets none.
   */
  start(take, silent) {
    const resampler = new Resampler();
    this.#wait = () => {
      clearTimeout(this.#patience);
      this.#patience = setTimeout(() => (document.hidden ? this.#wait() : silent()), 2000);
    };
    this.#listener = (event) => {
      const reading = readings(event, this.axes);
      if (reading === null) return;
      this.#wait();
      resampler.push(event.timeStamp, reading).forEach(take);
    };
    window.addEventListener("devicemotion", this.#listener);
    document.addEventListener("visibilitychange", this.#wait);
    this.#wait();
    this.#keepAwake();
  }

  stop() {
    clearTimeout(this.#patience);
    this.#awake?.release();
    window.removeEventListener("devicemotion", this.#listener);
    document.removeEventListener("visibilitychange", this.#wait);
  }

  activity() {
    return null;
  }

  /** A screen that goes dark takes the sensors with it. Not every browser can help. */
  async #keepAwake() {
    this.#awake = await navigator.wakeLock?.request("screen").catch(() => null);
  }
}

/** Safari on phones and tablets, whose acceleration has the other sign. */
function isApple() {
  return /iPhone|iPad|iPod/.test(navigator.userAgent) ||
    (/Macintosh/.test(navigator.userAgent) && navigator.maxTouchPoints > 1);
}
