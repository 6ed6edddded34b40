// A version of a model, run here by onnxruntime-web: the same folder that the service runs.

import { initialOf, verified } from "./folder.js";

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
  #initial;
  #dtype;

  /**
   * Use `load`.
   * @param {Ort} ort
   * @param {any} session
   * @param {any} manifest
   * @param {Record<string, TypedArray>} initial by the name of the state's tensor
   */
  constructor(ort, session, manifest, initial) {
    const { channels, outputs, labels, state, input } = manifest.contract;
    this.#ort = ort;
    this.#session = session;
    this.#state = state;
    this.#initial = initial;
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
   * Load `model.json` and the files that it names: the graph, weights beside it, and what the state
   * begins with. Throws TypeError where a digest does not agree, and for a model that takes context.
   * @param {Ort} ort
   * @param {(file: string) => Promise<Uint8Array<ArrayBuffer>>} file gives a file of the folder
   */
  static async load(ort, file) {
    const manifest = JSON.parse(new TextDecoder().decode(await file("model.json")));
    const { context = [], state } = manifest.contract;
    if (context.length) {
      const names = context.map((/** @type {{name: string}} */ { name }) => name).join(", ");
      throw new TypeError(`${manifest.name} takes context (${names}), which runs at the service alone`);
    }
    /** @type {Record<string, TypedArray>} */
    const initial = {};
    for (const tensor of state) initial[tensor.name] = await initialOf(file, tensor);
    const graph = await verified(file, manifest.graph);
    const externalData = [];
    for (const named of manifest.graph.data ?? []) {
      externalData.push({ path: named.file, data: await verified(file, named) });
    }
    const options = { executionProviders: ["wasm"], logSeverityLevel: 3, externalData }; // errors
    const session = await ort.InferenceSession.create(graph, options);
    return new EdgeModel(ort, session, manifest, initial);
  }

  /**
   * A stream's state before its first step.
   * @returns {State}
   */
  initial() {
    const tensor = (/** @type {any} */ { name, shape, dtype }) => {
      return { type: dtype, dims: [1, ...shape], data: this.#initial[name]?.slice() };
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
