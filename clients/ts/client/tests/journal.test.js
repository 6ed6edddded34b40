import assert from "node:assert/strict";
import { test } from "node:test";

import { BufferFull, ProtocolError, StateLost } from "../src/errors.js";
import { Journal } from "../src/journal.js";

/** A journal of chunks that end at these positions, all of them in flight. */
function sent(...ends) {
  const journal = new Journal(0, { maxSteps: 50 });
  for (const end of ends) journal.append(new Float32Array(end - journal.end), 1);
  while (journal.next(16));
  return journal;
}

test("what is unanswered is sent again, cut where the service stands", () => {
  const journal = sent(4, 10, 12);
  journal.settle(4, 0);
  assert.deepEqual(journal.resume(7), { first: 0, again: 8 });
  assert.deepEqual([journal.next(1).offset, journal.next(2).offset], [4, 10]);
});

test("a service that fell back to its checkpoint gets again what was answered", () => {
  const journal = sent(4, 10, 12);
  journal.settle(4, 2);
  journal.settle(10, 2);
  journal.resume(2);
  assert.equal(journal.next(1).offset, 2);
  assert.equal(journal.settle(4, 4), false, "the caller has had it");
});

test("a service that fell back behind what it called durable has lost the state", () => {
  const journal = sent(4, 10);
  journal.settle(4, 4);
  assert.throws(() => journal.resume(3), StateLost);
});

test("a service that stands before us has another client", () => {
  assert.throws(() => sent(4).resume(5), ProtocolError);
});

test("answers come in order, one for each chunk", () => {
  assert.throws(() => sent(4, 10).settle(10, 0), ProtocolError);
});

test("steps are taken in chunks of at most so many", () => {
  const journal = new Journal(0);
  assert.equal(journal.append(new Float32Array(14), 2, 3), 3);
  const ends = [1, 2, 3].map((most) => journal.next(most).end);
  assert.deepEqual(ends, [3, 6, 7]);
});

test("a full buffer takes nothing", () => {
  const journal = sent(40);
  assert.throws(() => journal.append(new Float32Array(11), 1), BufferFull);
  assert.equal(journal.end, 40);
  journal.settle(40, 40);
  journal.read = 40;
  journal.append(new Float32Array(11), 1);
  assert.equal(journal.held, 11);
});
