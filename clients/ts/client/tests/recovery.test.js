import assert from "node:assert/strict";
import { test } from "node:test";

import { Lost } from "../src/errors.js";
import { Recovery } from "../src/recovery.js";
import { Service } from "../src/service.js";

for (const [survives, address] of [
  ["connection", 0],
  ["restart", 0],
  ["replica", 1],
  ["failover", 1],
]) {
  test(`a stream that survives its ${survives} is looked for at address ${address}`, () => {
    const recovery = new Recovery(new Service(["http://one", "http://other"], {}));
    recovery.begins();
    recovery.opened({ survives, position: 0, durable: 0 });
    recovery.after(new Lost("the connection broke"));
    assert.equal(recovery.address, address);
  });
}
