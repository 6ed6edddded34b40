// Sound: the samples of a microphone, or of any audio node, as an AudioWorklet hears them.

const WORKLET = new URL("./worklet.js", import.meta.url);
const QUALITY = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };

/**
 * Take what a node plays, its channels mixed to one; what is given stops it.
 * @param {AudioNode} node
 * @param {(samples: Float32Array) => void} take gets samples at the rate of the node's context, in
 *   order and without a gap; give them to `Stream.feed`
 * @returns {Promise<() => void>}
 */
export async function listen(node, take) {
  await node.context.audioWorklet.addModule(WORKLET);
  const worklet = new AudioWorkletNode(node.context, "larnn-samples", {
    numberOfOutputs: 0,
    channelCount: 1,
    channelCountMode: "explicit",
  });
  worklet.port.onmessage = ({ data }) => take(data);
  node.connect(worklet);
  return () => {
    worklet.port.onmessage = null;
    node.disconnect(worklet);
  };
}

/** This machine's microphone. */
export class Microphone {
  #rate;
  /** @type {AudioContext | undefined} */ #context;
  /** @type {MediaStream | undefined} */ #media;

  /** @param {number} rate samples a second, as the model takes them; the browser resamples */
  constructor(rate) {
    this.#rate = rate;
  }

  /**
   * Ask the person, and begin; in answer to a touch.
   * @param {(samples: Float32Array) => void} take as for `listen`
   */
  async start(take) {
    this.#media = await navigator.mediaDevices.getUserMedia({ audio: QUALITY });
    this.#context = new AudioContext({ sampleRate: this.#rate });
    await listen(this.#context.createMediaStreamSource(this.#media), take);
  }

  async stop() {
    for (const track of this.#media?.getTracks() ?? []) track.stop();
    await this.#context?.close();
  }
}
