// A stream's state as a safetensors file: a header in JSON, then each tensor's bytes.

/**
 * A tensor of ONNX, as onnxruntime has it.
 * @typedef {object} StateTensor
 * @property {string} type such as float32 or int64
 * @property {number[]} dims
 * @property {import("./tensors.js").TypedArray} data
 */

/**
 * A stream at one position.
 * @typedef {object} State
 * @property {number} position steps consumed
 * @property {Record<string, StateTensor>} tensors of a batch of one
 */

import { arrayOf, bufferOf, TYPES } from "./tensors.js";

/**
 * What a file of the service holds; the tensors of outputs among them.
 * @param {Uint8Array} file
 * @returns {State}
 */
export function read(file) {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const start = 8 + Number(view.getBigUint64(0, true));
  const header = JSON.parse(new TextDecoder().decode(file.subarray(8, start)));
  /** @type {Record<string, StateTensor>} */
  const tensors = {};
  for (const [name, described] of Object.entries(header)) {
    if (name === "__metadata__") continue;
    const { dtype, shape, data_offsets: [first, end] } = described;
    const found = Object.entries(TYPES).find(([, { safetensors }]) => safetensors === dtype);
    if (!found) throw new TypeError(`the state's ${name} is of the unknown type ${dtype}`);
    const bytes = bufferOf(file.subarray(start + first, start + end));
    tensors[name] = { type: found[0], dims: shape, data: arrayOf(found[0], bytes) };
  }
  return { position: Number(header.__metadata__.position), tensors };
}

/**
 * The file that the service reads.
 * @param {string} model
 * @param {number} version
 * @param {State} state
 */
export function write(model, version, { position, tensors }) {
  const metadata = { model, version: String(version), position: String(position) };
  /** @type {Record<string, unknown>} */
  const header = { __metadata__: metadata };
  let end = 0;
  for (const [name, { type, dims, data }] of Object.entries(tensors)) {
    const first = end;
    end += data.byteLength;
    const dtype = TYPES[type]?.safetensors;
    header[name] = { dtype, shape: dims, data_offsets: [first, end] };
  }
  const encoded = new TextEncoder().encode(JSON.stringify(header));
  const length = Math.ceil(encoded.length / 8) * 8;
  const file = new Uint8Array(8 + length + end).fill(0x20, 8, 8 + length);
  new DataView(file.buffer).setBigUint64(0, BigInt(length), true);
  file.set(encoded, 8);
  let at = 8 + length;
  for (const { data } of Object.values(tensors)) {
    file.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), at);
    at += data.byteLength;
  }
  return file;
}
