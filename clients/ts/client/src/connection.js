// One websocket on a stream: from the handshake to an error in this library's words.

import { CLOSE_CODES, Lost, ProtocolError, refused } from "./errors.js";
import { BINARY } from "./frames.js";
import { decode, JSON_V1 } from "./messages.js";
import { News } from "./news.js";

/** @typedef {import("./service.js").Service} Service */
/** @typedef {import("./frames.js").FrameReader} FrameReader */
/** @typedef {ReturnType<typeof decode>} Message */

/** Dropped by `abort`, without ceremony: a peer that is gone answers no close frame. */
export class Connection {
  #socket;
  #service;
  #most; // milliseconds for which it may be silent while it owes a message
  #news = new News();
  /** @type {Message[]} */ #came = [];
  /** @type {unknown} */ #failure;
  #owed = 1; // `opened`; after it one message for each that is sent
  /** @type {ReturnType<typeof setTimeout> | undefined} */ #patience;
  /** @type {FrameReader | undefined} of binary answers: set when the stream is open */ reader;

  /**
   * @param {Service} service
   * @param {string} url of the stream, http or https
   * @param {boolean} binary whether chunks and answers shall be binary frames, where the service
   *   has them
   */
  constructor(service, url, binary) {
    this.#service = service;
    this.#most = service.connectTimeout;
    const speaks = binary ? [BINARY, JSON_V1] : [JSON_V1];
    const key = service.key ? [`larnn.key.${service.key}`] : [];
    const socket = new (service.WebSocket())(url.replace("http", "ws"), [...speaks, ...key]);
    socket.binaryType = "arraybuffer";
    socket.onmessage = ({ data }) => this.#take(data);
    socket.onerror = () => this.#fail(new Lost("the connection broke")); // Node tells no close then
    socket.onclose = ({ code, reason }) => this.#fail(ofClose(code, reason));
    this.#socket = socket;
    this.#wait();
  }

  /** Whether the service chose binary frames. */
  get binary() {
    return this.#socket.protocol === BINARY;
  }

  /**
   * Send a message, which the service will answer.
   * @param {string | ArrayBuffer} frame
   */
  send(frame) {
    if (this.#socket.readyState !== this.#socket.OPEN) return; // `receive` tells why
    this.#socket.send(frame);
    this.#owed += 1;
    if (this.#owed === 1) this.#wait();
  }

  /** It may be gone without a word: for its next message it has as long as a new connection has. */
  doubt() {
    const { connectTimeout, answerTimeout } = this.#service;
    this.#most = Math.min(connectTimeout, answerTimeout);
    clearTimeout(this.#patience);
    if (this.#owed > 0) this.#wait();
  }

  /** The next message. Throws Lost, ProtocolError, and Refused for an error message. */
  async receive() {
    for (;;) {
      const message = this.#came.shift();
      if (message) return message;
      if (this.#failure) throw this.#failure;
      await this.#news.next();
    }
  }

  /** Drop it now; whoever waits is told that it is lost. */
  abort() {
    this.#fail(new Lost("the connection was dropped here"));
  }

  /** @param {string | ArrayBuffer} data */
  #take(data) {
    clearTimeout(this.#patience);
    this.#owed -= 1;
    this.#most = this.#service.answerTimeout;
    if (this.#owed > 0) this.#wait();
    try {
      this.#came.push(typeof data === "string" ? decode(data) : this.#read(data));
    } catch (error) {
      return this.#fail(error);
    }
    this.#news.tell();
  }

  /** @param {ArrayBuffer} frame */
  #read(frame) {
    if (!this.reader) throw new ProtocolError("the service sent an answer before `opened`");
    return this.reader.read(frame);
  }

  #wait() {
    const most = this.#most;
    const silent = () => this.#fail(new Lost(`the service was silent for ${most / 1000} s`));
    this.#patience = setTimeout(silent, most);
  }

  /** @param {unknown} error */
  #fail(error) {
    this.#failure ??= error;
    clearTimeout(this.#patience);
    this.#socket.onmessage = this.#socket.onclose = null;
    this.#socket.onerror = () => {}; // its closing may fail too
    this.#socket.close();
    this.#news.tell();
  }
}

/**
 * The error of a close frame before which no error message came.
 * @param {number} code
 * @param {string} reason
 */
function ofClose(code, reason) {
  const known = CLOSE_CODES[code];
  if (known) return refused(known, reason || `the service closed with ${code}`);
  return new Lost("the connection broke");
}
