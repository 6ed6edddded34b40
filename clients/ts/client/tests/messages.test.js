import assert from "node:assert/strict";
import { test } from "node:test";

import { ProtocolError } from "../src/errors.js";
import { decode } from "../src/messages.js";

const WHOLE = [
  { type: "opened", stream: "ID", position: 3, durable: 2 },
  { type: "prediction", label: "UP", position: 3, durable: 2 },
  { type: "ended", position: 3 },
];

for (const message of WHOLE) {
  test(`what counts steps in \`${message.type}\` is a number of steps`, () => {
    assert.equal(decode(JSON.stringify(message)).type, message.type);
    for (const name of ["position", "durable"].filter((each) => each in message)) {
      for (const wrong of [undefined, null, "3", -1, 1.5, 2 ** 60]) {
        const text = JSON.stringify({ ...message, [name]: wrong });
        assert.throws(() => decode(text), ProtocolError, text);
      }
    }
  });
}
