import assert from "node:assert/strict";
import { test } from "node:test";

import { BadInput, Client } from "../src/index.js";
import { contextJson } from "../src/context.js";
import { StreamPath } from "../src/stream_options.js";

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

test("every connection of a stream tells the context that was given", () => {
  const gain = new Float32Array([0.5, 1]);
  const path = new StreamPath({ model: "toy", context: { gain } });
  const first = path.of();
  assert.match(first, /context=%7B%22gain%22%3A%5B0.5%2C1%5D%7D/);
  gain.fill(NaN); // the caller goes on with its own array
  assert.equal(path.of(), first);
  assert.doesNotMatch(path.of("ID"), /context|model/);
});
