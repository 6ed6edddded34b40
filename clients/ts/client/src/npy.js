// Float32 arrays as numpy.save writes them.

/**
 * @param {Float32Array[]} rows of one length each
 * @param {number[]} shape of all of them together
 */
export function npy(rows, shape) {
  const dictionary = `{'descr': '<f4', 'fortran_order': False, 'shape': (${shape.join(", ")}), }`;
  const head = 10;
  const header = dictionary.padEnd(Math.ceil((head + dictionary.length + 1) / 64) * 64 - head - 1);
  const start = head + header.length + 1;
  const count = shape.reduce((all, one) => all * one, 1);
  const bytes = new Uint8Array(start + 4 * count);
  const view = new DataView(bytes.buffer);
  bytes.set([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0]);
  view.setUint16(8, header.length + 1, true);
  bytes.set(new TextEncoder().encode(`${header}\n`), head);
  let at = start;
  for (const row of rows) {
    for (const value of row) {
      view.setFloat32(at, value, true);
      at += 4;
    }
  }
  return bytes;
}
