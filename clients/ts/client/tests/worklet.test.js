import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { MessageChannel } from "node:worker_threads";

test("a worklet hands on what it hears until it is told to stop", async () => {
  const { port1, port2 } = new MessageChannel();
  let Processor;
  globalThis.AudioWorkletProcessor = class {
    port = port2;
  };
  globalThis.registerProcessor = (_, found) => (Processor = found);
  await import("../src/sources/worklet.js");
  const processor = new Processor();
  const samples = Float32Array.of(0.5, -0.25);
  assert.equal(processor.process([[samples]]), true);
  assert.deepEqual(await once(port1, "message"), [samples]);
  port1.postMessage("stop");
  await once(port2, "message");
  assert.equal(processor.process([[samples]]), false);
  port1.close();
});
