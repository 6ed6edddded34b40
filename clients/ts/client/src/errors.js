// What can go wrong: each code of the protocol as a class, and what the client finds by itself.

/** Any error of this library; its message says what to do. */
export class LarnnError extends Error {
  get name() {
    return this.constructor.name;
  }
}

/** No address answered for as long as the client was told to try. */
export class Unreachable extends LarnnError {}

/** What came is not the service's protocol: is the address right? */
export class ProtocolError extends LarnnError {}

/** The stream holds as many steps as it may that are not read or not durable. */
export class BufferFull extends LarnnError {}

/** The stream was ended or closed by this client. */
export class StreamClosed extends LarnnError {}

/** The service went back behind steps that it had called durable, or that are not held here. */
export class StateLost extends LarnnError {}

/** The service refused: `code` is one of the protocol's, `detail` says what to do. */
export class Refused extends LarnnError {
  /**
   * @param {string} detail
   * @param {string} [code]
   * @param {{expectedOffset?: number, retryAfter?: number}} [more] `retryAfter` in milliseconds
   */
  constructor(detail, code = "", { expectedOffset, retryAfter } = {}) {
    super(code ? `${code}: ${detail}` : detail);
    this.detail = detail;
    this.code = code;
    this.expectedOffset = expectedOffset;
    this.retryAfter = retryAfter;
  }
}

/** bad_json, bad_message, bad_shape, bad_value, empty_chunk: correct what the message names. */
export class BadInput extends Refused {}
/** Over a limit, which the message names: send less at once. */
export class TooLarge extends Refused {}
/** No model of that name is served. */
export class UnknownModel extends Refused {}
/** An id that this service has not made, or has made for another key. */
export class Unknown extends Refused {}
/** The stream was ended, deleted, idle or lost with its process: open a new one. */
export class Expired extends Refused {}
/** Steps before the chunk are missing: another client writes to this stream. */
export class Gap extends Refused {}
/** The key or the stream is in use for something else. */
export class Conflict extends Refused {}
/** Another connection resumed the stream: leave it to that one. */
export class Moved extends Refused {}
/** The service is at its limit. */
export class Full extends Refused {}
/** The service's store of streams does not answer. */
export class Unavailable extends Refused {}
/** Too many steps are unacknowledged. */
export class Backpressure extends Refused {}
/** This replica is shutting down. */
export class Draining extends Refused {}
/** A run failed; nothing was counted. */
export class Internal extends Refused {}
/** The service wants a key, and knows none like this. */
export class Unauthorized extends Refused {}
/** The service knows the caller and says no. */
export class Forbidden extends Refused {}

/** The connection broke or never came about: the stream may live on at its service. */
export class Lost extends Error {}

/** @type {Record<string, typeof Refused>} */
const CODES = {
  bad_json: BadInput,
  bad_message: BadInput,
  bad_shape: BadInput,
  bad_value: BadInput,
  empty_chunk: BadInput,
  too_large: TooLarge,
  too_slow: Refused, // its connection is closed, as if it had broken
  unknown_model: UnknownModel,
  unknown: Unknown,
  expired: Expired,
  gap: Gap,
  conflict: Conflict,
  moved: Moved,
  full: Full,
  unavailable: Unavailable,
  backpressure: Backpressure,
  draining: Draining,
  internal: Internal,
  unauthorized: Unauthorized,
  forbidden: Forbidden,
};

/**
 * What a close frame says where no error message came before it.
 * @type {Record<number, string>}
 */
export const CLOSE_CODES = {
  1009: "too_large",
  1012: "draining",
  4401: "unauthorized",
  4403: "forbidden",
  4404: "unknown",
  4408: "too_slow",
  4410: "expired",
  4411: "moved",
  4422: "bad_message",
  4429: "backpressure",
  4503: "full",
};

const TRANSIENT = [Full, Unavailable, Backpressure, Draining, Internal, Gap];

/**
 * Whether an error may pass by itself: nothing was counted, and the same may be sent again.
 * @param {unknown} error
 */
export function mayPass(error) {
  return TRANSIENT.some((kind) => error instanceof kind);
}

/**
 * The error of a code; a code unknown here is a plain Refused.
 * @param {string} code
 * @param {string} detail
 * @param {{expectedOffset?: number, retryAfter?: number}} [more]
 */
export function refused(code, detail, more = {}) {
  return new (CODES[code] ?? Refused)(detail, code, more);
}
