// The service of this page, by the client library.

import { Client } from "@larnn/client";

import { key } from "./key.js";

/** A client that gives up after so many milliseconds. */
export function service(retryFor = Infinity) {
  const address = new URL(".", location).href;
  return new Client(address, { key: key() ?? undefined, retryFor });
}
