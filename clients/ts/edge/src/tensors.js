// The types of tensors: what arrays hold them, and what safetensors calls them.

/**
 * @typedef {Float32Array | Float64Array | BigInt64Array | BigUint64Array | Int32Array | Int16Array |
 *   Int8Array | Uint8Array | Uint16Array | Uint32Array} TypedArray
 */

/**
 * By ONNX's names. Numbers of float16 stay their 16 bits.
 * @type {Record<string, {array: new (made: any) => TypedArray, safetensors: string}>}
 */
export const TYPES = {
  float16: { array: Uint16Array, safetensors: "F16" },
  float32: { array: Float32Array, safetensors: "F32" },
  float64: { array: Float64Array, safetensors: "F64" },
  int8: { array: Int8Array, safetensors: "I8" },
  int16: { array: Int16Array, safetensors: "I16" },
  int32: { array: Int32Array, safetensors: "I32" },
  int64: { array: BigInt64Array, safetensors: "I64" },
  uint8: { array: Uint8Array, safetensors: "U8" },
  uint16: { array: Uint16Array, safetensors: "U16" },
  uint32: { array: Uint32Array, safetensors: "U32" },
  uint64: { array: BigUint64Array, safetensors: "U64" },
  bool: { array: Uint8Array, safetensors: "BOOL" },
};

/**
 * An array of a type: of so many zeros, or over these bytes.
 * @param {string} type
 * @param {number | ArrayBuffer} made
 */
export function arrayOf(type, made) {
  const known = TYPES[type];
  if (!known) throw new TypeError(`a tensor is of the unknown type ${type}`);
  return new known.array(made);
}

/**
 * A copy of bytes as a buffer of their own; Node's `slice` would share the file's.
 * @param {Uint8Array} bytes
 */
export function bufferOf(bytes) {
  return Uint8Array.from(bytes).buffer;
}
