// A version of a model, run here by onnxruntime-web: the same folder that the service runs.

import { arrayOf } from "./tensors.js";

/** @typedef {import("@larnn/client").Output} Output */
/** @typedef {import("./safetensors.js").State} State */
/** @typedef {import("./tensors.js").TypedArray} TypedArray */

/**
 * onnxruntime, as `onnxruntime-web` or `onnxruntime-node` exports it.
 * @typedef {object} Ort
 * @property {{create: (model: Uint8Array, options?: any) => Promise<any>}} InferenceSession
 * @property {new (type: any, data: any, dims: number[]) => any} Tensor
 */

/**
 * @typedef {object} Advanced
 * @property {State} state after the steps
 * @property {Record<string, TypedArray>} outputs [steps × numbers of a step], by name
 */

export class EdgeModel {
  #ort;
  #session;
  #state;
  #dtype;

  /**
   * Use `load`.
   * @param {Ort} ort
   * @param {any} session
   * @param {any} manifest
   */
  constructor(ort, session, manifest) {
    const { channels, outputs, labels, state, input } = manifest.contract;
    this.#ort = ort;
    this.#session = session;
    this.#state = state;
    this.#dtype = manifest.contract.vocabulary ? "int64" : "float32";
    /** @type {string} */
    this.name = manifest.name;
    /** @type {number} */
    this.version = manifest.version;
    /** @type {Output[]} the answer first */
    this.outputs = outputs ?? [{ name: "logits", task: "classes", labels }];
    /** @type {number} numbers of a step */
    this.width = input?.frame?.samples ?? input?.range?.count ?? (input?.channels ?? channels).length;
  }

  /**
   * Load `model.json` and the graph that it names. Throws where their digests do not agree.
   * @param {Ort} ort
   * @param {(file: string) => Promise<Uint8Array<ArrayBuffer>>} file gives a file of the folder
   */
  static async load(ort, file) {
    const manifest = JSON.parse(new TextDecoder().decode(await file("model.json")));
    const graph = await file(manifest.graph.file);
    const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", graph));
    const hex = Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
    if (hex !== manifest.graph.sha256) {
      throw new TypeError(`${manifest.graph.file} is not what model.json names by its digest`);
    }
    const options = { executionProviders: ["wasm"], logSeverityLevel: 3 }; // errors
    return new EdgeModel(ort, await ort.InferenceSession.create(graph, options), manifest);
  }

  /**
   * A stream's state before its first step.
   * @returns {State}
   */
  initial() {
    const tensor = (/** @type {any} */ { shape, dtype, initial }) => {
      const count = shape.reduce((/** @type {number} */ all, /** @type {number} */ one) => all * one, 1);
      const data = arrayOf(dtype, count);
      data.fill(/** @type {never} */ (dtype === "int64" ? BigInt(initial ?? 0) : (initial ?? 0)));
      return { type: dtype, dims: [1, ...shape], data };
    };
    const each = this.#state.map((/** @type {any} */ one) => [one.name, tensor(one)]);
    return { position: 0, tensors: Object.fromEntries(each) };
  }

  /**
   * Run steps; the state that is given stays as it is.
   * @param {State} state
   * @param {Float32Array} data [steps × width]
   * @returns {Promise<Advanced>}
   */
  async advance(state, data) {
    const steps = data.length / this.width;
    const { Tensor } = this.#ort;
    const x = this.#dtype === "int64" ? BigInt64Array.from(data, BigInt) : data;
    const feeds = {
      x: new Tensor(this.#dtype, x, [1, steps, this.width]),
      lengths: new Tensor("int64", BigInt64Array.of(BigInt(steps)), [1]),
    };
    for (const { name } of this.#state) {
      const { type, dims, data: values } = this.#of(state, name);
      Object.assign(feeds, { [name]: new Tensor(type, values, dims) });
    }
    const wanted = this.#state.map((/** @type {any} */ { name }) => `next_${name}`);
    const given = await this.#session.run(feeds, [...this.outputs.map(({ name }) => name), ...wanted]);
    const next = this.#state.map((/** @type {any} */ { name }) => {
      const { type, dims, data: values } = given[`next_${name}`];
      return [name, { type, dims, data: values }];
    });
    return {
      state: { position: state.position + steps, tensors: Object.fromEntries(next) },
      outputs: Object.fromEntries(this.outputs.map(({ name }) => [name, given[name].data])),
    };
  }

  /**
   * @param {State} state
   * @param {string} name
   */
  #of({ tensors }, name) {
    const tensor = tensors[name];
    if (!tensor) throw new TypeError(`the state has no ${name}; it is of another model`);
    return tensor;
  }
}
