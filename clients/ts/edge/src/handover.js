// Where the service has the stream, and how it gets the state of here.

import { Expired, Unknown } from "@larnn/client";

import { write } from "./safetensors.js";

/** @typedef {import("@larnn/client").Client} Client */
/** @typedef {import("./model.js").EdgeModel} EdgeModel */
/** @typedef {import("./safetensors.js").State} State */

export class Handover {
  #client;
  #model;
  /** @type {string | undefined} */ #name; // under which another stream is opened
  /** @type {string | undefined} of the stream at the service, if it has one */ id;

  /**
   * @param {Client} client
   * @param {EdgeModel} model
   */
  constructor(client, model) {
    this.#client = client;
    this.#model = model;
  }

  /**
   * Whether the service has taken the state: into the stream of `id`, or into another one, which is
   * opened where there is none. False where it has lost that of `id`.
   * @param {State} state
   */
  async give(state) {
    const { name: model, version } = this.#model;
    const file = write(model, version, state);
    try {
      if (this.id) await this.#client.putState(this.id, file);
      else {
        this.#name ??= crypto.randomUUID();
        const { stream } = await this.#client.open({ model, version }, this.#name);
        await this.#client.putState(stream, file);
        this.id = stream;
        this.#name = undefined;
      }
    } catch (error) {
      if (!(error instanceof Expired || error instanceof Unknown)) throw error;
      this.id = undefined;
      return false;
    }
    return true;
  }
}
