// Where readings come from: a recording, played at its own speed, or this phone.

import { MotionSensor } from "@larnn/client/motion";

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

/** This phone, of which nobody knows what its owner does. */
export class Phone extends MotionSensor {
  activities = [];

  activity() {
    return null;
  }
}
