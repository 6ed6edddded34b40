// The files of a version's folder: each is what model.json names by its digest.

import { arrayOf, bufferOf } from "./tensors.js";

/** Gives a file of the folder. @typedef {(file: string) => Promise<Uint8Array<ArrayBuffer>>} Folder */
/** @typedef {{file: string, sha256: string}} Named */
/** @typedef {import("./tensors.js").TypedArray} TypedArray */

/**
 * A file's bytes. Throws TypeError where their digest is another one.
 * @param {Folder} folder
 * @param {Named} named
 */
export async function verified(folder, { file, sha256 }) {
  const bytes = await folder(file);
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  const hex = Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
  if (hex !== sha256) throw new TypeError(`${file} is not what model.json names by its digest`);
  return bytes;
}

/**
 * What a state tensor holds before the first step: one number everywhere, or what an npy file has.
 * Throws TypeError where it is of a type, or begins with what, there is not here.
 * @param {Folder} folder
 * @param {{name: string, dtype: string, shape: number[], initial?: number | Named}} tensor
 */
export async function initialOf(folder, { name, dtype, shape, initial = 0 }) {
  const count = shape.reduce((all, one) => all * one, 1);
  const data = arrayOf(dtype, count);
  if (typeof initial === "object") {
    const file = await verified(folder, initial);
    const header = new DataView(file.buffer, file.byteOffset).getUint16(8, true); // its length
    const start = 10 + header;
    if (file.length - start !== data.byteLength) {
      throw new TypeError(`${initial.file} does not hold ${count} of ${dtype}, as ${name} asks for`);
    }
    return arrayOf(dtype, bufferOf(file.subarray(start)));
  }
  if (dtype === "float16" && initial) {
    throw new TypeError(`${name} begins with ${initial} in float16, which only a file can say here`);
  }
  data.fill(/** @type {never} */ (dtype.endsWith("int64") ? BigInt(initial) : initial));
  return data;
}
