// In the browser's audio thread: hands on what it hears, 128 samples at a time, until it is told to
// stop.

// @ts-nocheck: this scope's names are in no library of TypeScript's.

registerProcessor(
  "larnn-samples",
  class extends AudioWorkletProcessor {
    #listens = true;

    constructor() {
      super();
      this.port.onmessage = () => (this.#listens = false);
    }

    process([[samples]]) {
      if (samples && this.#listens) this.port.postMessage(samples.slice());
      return this.#listens; // false lets the browser forget it
    }
  },
);
