// What the two places of a stream share: the service's, and this one.

import { Handover } from "./handover.js";
import { Inbox } from "./inbox.js";
import { complete } from "./options.js";
import { Past } from "./past.js";

/** @typedef {import("@larnn/client").Client} Client */
/** @typedef {import("./inbox.js").EdgePrediction} EdgePrediction */
/** @typedef {import("./model.js").EdgeModel} EdgeModel */
/** @typedef {import("./options.js").EdgeOptions} EdgeOptions */

export class Shared {
  inbox = new Inbox();
  /** Whether the caller sends no more. */
  ending = false;
  /** Whether it stays away from the service until the caller says otherwise. */
  away = false;

  /**
   * Throws TypeError for an option that there is not here.
   * @param {Client} client
   * @param {EdgeModel} model
   * @param {EdgeOptions} options
   * @param {(type: string, detail: unknown) => void} tell dispatches an event
   */
  constructor(client, model, options, tell) {
    this.client = client;
    this.model = model;
    this.options = complete(options);
    this.past = new Past(model.initial(), this.options.snapshotSteps);
    this.handover = new Handover(client, model);
    this.tell = tell;
  }

  /** Whether the stream has ended, or failed for good. */
  get isOver() {
    return this.inbox.ended !== undefined || this.inbox.failure !== undefined;
  }

  /** @param {EdgePrediction} prediction of one place or the other; one that was given is dropped */
  take(prediction) {
    if (!this.inbox.put(prediction)) return;
    const { id } = this.handover;
    if (!prediction.edge && id) this.past.refresh(this.client, id, prediction.position);
  }
}
