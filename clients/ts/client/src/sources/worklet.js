// In the browser's audio thread: hands on what it hears, 128 samples at a time.

// @ts-nocheck: this scope's names are in no library of TypeScript's.

registerProcessor(
  "larnn-samples",
  class extends AudioWorkletProcessor {
    process([[samples]]) {
      if (samples) this.port.postMessage(samples.slice());
      return true;
    }
  },
);
