import assert from "node:assert/strict";
import { test } from "node:test";

import { Chunk } from "../src/chunk.js";
import { ProtocolError } from "../src/errors.js";
import { frame, FrameReader } from "../src/frames.js";

const OUTPUTS = [
  { name: "speed", task: "values", dtype: "float32", values: [{ name: "left" }, { name: "right" }] },
  { name: "seen", task: "raw", dtype: "float16", shape: [3] },
  { name: "on", task: "raw", dtype: "bool", shape: [] },
];

/** Position 7, durable 5, and two steps of `speed` and `seen`. */
function answer() {
  const view = new DataView(new ArrayBuffer(24 + 2 * 8 + 2 * 6));
  [7n, 5n, 2n].forEach((value, index) => view.setBigUint64(8 * index, value, true));
  [1, 2, 3, 4].forEach((value, index) => view.setFloat32(24 + 4 * index, value, true));
  const halves = [0x3c00, 0xc000, 0x0001, 0x7bff, 0x8000, 0xfc00];
  halves.forEach((bits, index) => view.setUint16(40 + 2 * index, bits, true));
  return view.buffer;
}

function reader(wish) {
  return new FrameReader({ outputs: OUTPUTS }, { outputs: ["seen"], ...wish });
}

test("an answer is what the same in JSON would be", () => {
  const { prediction } = reader({ emit: "every" }).read(answer());
  const first = { values: { left: 1, right: 2 }, outputs: { seen: { output: [1, -2, 2 ** -24] } } };
  const last = { values: { left: 3, right: 4 }, outputs: { seen: { output: [65504, -0, -Infinity] } } };
  assert.deepEqual(prediction, { ...last, position: 7, durable: 5, steps: [first, last], latency: NaN });
});

for (const [emit, told] of [["last", undefined], ["every", 2], [7, 2], [5, 1]]) {
  test(`of two steps come those that ${emit} asks for`, () => {
    assert.equal(reader({ emit }).read(answer()).prediction.steps?.length, told);
  });
}

test("a bool is one", () => {
  const view = new DataView(new ArrayBuffer(25));
  view.setBigUint64(16, 1n, true);
  view.setUint8(24, 1);
  const found = new FrameReader({ outputs: OUTPUTS.slice(2) }, {}).read(view.buffer);
  assert.equal(found.prediction.output, true);
});

test("a frame that does not end with its arrays is none", () => {
  const whole = answer();
  const none = new DataView(answer());
  none.setBigUint64(16, 0n, true);
  const longer = new Uint8Array(whole.byteLength + 1);
  longer.set(new Uint8Array(whole));
  const wrong = [whole.slice(0, 10), whole.slice(0, -1), longer.buffer, none.buffer, new ArrayBuffer(0)];
  for (const each of wrong) assert.throws(() => reader().read(each), ProtocolError);
});

test("a chunk says where it belongs and what it acknowledges", () => {
  const view = new DataView(frame(new Chunk(9, new Float32Array([1.5, 2]), 2), 4));
  assert.deepEqual([view.getBigUint64(0, true), view.getBigUint64(8, true)], [9n, 4n]);
  assert.deepEqual([view.getFloat32(16, true), view.getFloat32(20, true)], [1.5, 2]);
});
