// Where the service is and how to speak to it.

/**
 * @typedef {object} ServiceOptions
 * @property {string} [key] of the service, where it asks for one; sent to each address: use https
 * @property {number} [retryFor] milliseconds without any success after which to give up
 * @property {number} [connectTimeout] milliseconds until a stream must have been opened
 * @property {number} [answerTimeout] milliseconds for which a service that owes an answer may be
 *   silent before its connection counts as lost
 * @property {typeof globalThis.WebSocket} [WebSocket] the class to use, where the platform has none
 */

/** Addresses like `https://host:8000`, in the order in which to try them. */
export class Service {
  /**
   * @param {string[]} addresses
   * @param {ServiceOptions} options
   */
  constructor(addresses, options) {
    if (!addresses.length) {
      throw new TypeError("give at least one address, like http://localhost:8000");
    }
    for (const address of addresses) {
      if (!/^https?:\/\//.test(address)) {
        throw new TypeError(`"${address}" is no address; write http://… or https://…`);
      }
    }
    this.addresses = addresses;
    this.key = options.key;
    this.retryFor = options.retryFor ?? 60_000;
    this.connectTimeout = options.connectTimeout ?? 10_000;
    this.answerTimeout = options.answerTimeout ?? 60_000;
    const found = options.WebSocket ?? globalThis.WebSocket;
    /** Node 20 has the class behind a flag; who only classifies needs none. */
    this.WebSocket = () => {
      if (found) return found;
      throw new TypeError(
        "there is no WebSocket here: run node --experimental-websocket, take Node 22, or give " +
          "the class as the option WebSocket",
      );
    };
  }

  /** @returns {Record<string, string>} */
  get headers() {
    return this.key ? { Authorization: `Bearer ${this.key}` } : {};
  }

  /**
   * A path at the address of that index; the addresses repeat.
   * @param {number} index
   * @param {string} path
   */
  url(index, path) {
    const address = /** @type {string} */ (this.addresses[index % this.addresses.length]);
    return address.replace(/\/+$/, "") + path;
  }
}
