import assert from "node:assert/strict";
import { test } from "node:test";

import { BadInput, Client, Framer } from "../src/index.js";
import { Chunk, flat } from "../src/chunk.js";
import { mostSteps } from "../src/framer.js";
import { encode } from "../src/messages.js";
import { npy } from "../src/npy.js";

test("steps are rows, or flat where the channels are known", () => {
  const rows = [[1, 2], new Float32Array([3, 4])];
  assert.deepEqual([...flat(rows).data], [1, 2, 3, 4]);
  assert.deepEqual([...flat(new Float32Array([1, 2, 3, 4]), 2).data], [1, 2, 3, 4]);
});

for (const [what, steps, code] of [
  ["a row too short", [[1, 2], [3]], "bad_shape"],
  ["flat numbers that fill no step", new Float32Array(3), "bad_shape"],
  ["no step", [], "empty_chunk"],
  ["a number that is none", [[1, NaN]], "bad_value"],
  ["a number too large for float32", [[1, 1e39]], "bad_value"],
]) {
  test(`${what} is refused before anything is sent`, () => {
    assert.throws(() => flat(steps, 2), (error) => error instanceof BadInput && error.code === code);
  });
}

test("what was given is copied: its owner may write over it", () => {
  const steps = new Float32Array([1, 2]);
  const { data } = flat(steps, 2);
  steps.fill(9);
  assert.deepEqual([...data], [1, 2]);
});

test("however samples are cut, the same frames come", () => {
  const samples = Float32Array.from({ length: 1000 }, (_, index) => index);
  for (const piece of [1, 7, 128, 160, 999]) {
    const framer = new Framer(160);
    const found = [];
    for (let at = 0; at < samples.length; at += piece) {
      const { steps, rest } = framer.cut(samples.subarray(at, at + piece));
      found.push(...steps);
      framer.keep(rest);
    }
    assert.deepEqual(found, [...samples.subarray(0, 960)]);
    assert.equal(framer.rest, 40);
  }
});

test("int16 samples are scaled", () => {
  const framer = new Framer(2, 1 / 32768);
  assert.deepEqual([...framer.cut(new Int16Array([16384, -32768])).steps], [0.5, -1]);
});

test("samples that are no numbers are refused, and nothing is kept of them", () => {
  const framer = new Framer(4);
  framer.keep(framer.cut(new Float32Array([1, 2])).rest);
  assert.throws(() => framer.cut(new Float32Array([3, 4, NaN])), /samples\[2\]/);
  assert.deepEqual([...framer.cut(new Float32Array([3, 4])).steps], [1, 2, 3, 4]);
});

for (const [width, most] of [[1, 512], [160, 512], [1024, 128], [65_536, 2], [2 ** 20, 1]]) {
  test(`what is fed goes in messages of ${most} steps of ${width} numbers at most`, () => {
    assert.equal(mostSteps(width), most);
  });
}

test("the longest of such messages as JSON is one that the service takes", () => {
  const data = new Float32Array(mostSteps(1024) * 1024).fill(-1.2345678e-38);
  assert.ok(encode(new Chunk(0, data, 1024), 0).length < 2 ** 22);
});

test("an npy file's data begins at a multiple of 64", () => {
  const file = npy([new Float32Array([1, 2])], [1, 1, 2]);
  const header = new DataView(file.buffer).getUint16(8, true);
  assert.equal((10 + header) % 64, 0);
  assert.equal(file.length, 10 + header + 8);
});

test("an address is checked, and a position without a stream", async () => {
  assert.throws(() => new Client("localhost:8000"), /write http/);
  assert.throws(() => new Client([]), /at least one/);
  await assert.rejects(new Client("http://localhost:1").stream({ position: 3 }), /resume/);
});
