import assert from "node:assert/strict";
import { test } from "node:test";

import { BadInput, Client } from "../src/index.js";
import { contextJson } from "../src/context.js";

test("context is numbers and arrays, typed ones too", () => {
  const given = { gain: 2, up: true, shift: new Float32Array([0.5, 1]), at: [[1n], new Int8Array([2])] };
  assert.deepEqual(contextJson(given), { gain: 2, up: true, shift: [0.5, 1], at: [[1], [2]] });
});

for (const [what, value] of [
  ["text", "loud"],
  ["a number that is none", NaN],
  ["an array with one that is none", [1, Infinity]],
  ["an object", { gain: 1 }],
  ["nothing", null],
]) {
  test(`${what} is no context, and nothing is sent`, async () => {
    const client = new Client("http://localhost:1");
    const context = { gain: value };
    await assert.rejects(client.stream({ context }), BadInput);
    await assert.rejects(client.classify([[[1]]], { context }), BadInput);
  });
}

test("a stream that is resumed keeps its context", async () => {
  const resumed = new Client("http://localhost:1").stream({ resume: "ID", context: { gain: 1 } });
  await assert.rejects(resumed, /it stays with it/);
});
