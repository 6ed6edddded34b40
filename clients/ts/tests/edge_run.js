// A recording through an EdgeStream whose network is cut now and then; in Node and in a page.

import { EdgeStream } from "@larnn/edge";

/**
 * Every chunk is sent once the one before is answered, so no clock is needed: a cut of a second is
 * one of as many steps as a second has. Gives the predictions.
 * @param {object} what
 * @param what.client of the service
 * @param what.model an EdgeModel
 * @param what.signal [steps][channels]
 * @param what.edges where chunks end
 * @param what.cuts [first, end] steps between which there is no network
 * @param what.gate awaited before each chunk
 */
export async function run({ client, model, signal, edges, cuts, options = {}, gate }) {
  const stream = new EdgeStream(client, model, { emit: "every", logits: true, ...options });
  const opened = new Promise((resolve) => stream.addEventListener("opened", resolve, { once: true }));
  await opened;
  const predictions = [];
  for (let chunk = 1; chunk < edges.length; chunk += 1) {
    const [first, end] = [edges[chunk - 1], edges[chunk]];
    await gate?.(chunk);
    if (cuts.some((cut) => cut[0] === first)) stream.disconnect();
    if (cuts.some((cut) => cut[1] === first)) {
      const returned = new Promise((resolve) =>
        stream.addEventListener("returned", resolve, { once: true }),
      );
      stream.reconnect();
      await returned;
    }
    stream.send(signal.slice(first, end));
    predictions.push(await stream.receive());
  }
  return { predictions, ended: await stream.end() };
}
