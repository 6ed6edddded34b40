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
    worklet.port.postMessage("stop");
    node.disconnect(worklet);
  };
}

/** This machine's microphone. */
export class Microphone {
  #rate;
  /** @type {Capture | undefined} of the last start */ #capture;

  /** @param {number} rate samples a second, as the model takes them; the browser resamples */
  constructor(rate) {
    this.#rate = rate;
  }

  /**
   * Ask the person, and begin; in answer to a touch. Throws what the browser says where there is
   * nothing to hear, and leaves nothing open. A start that has begun before is stopped.
   * @param {(samples: Float32Array) => void} take as for `listen`
   */
  async start(take) {
    const before = this.#capture;
    const capture = (this.#capture = new Capture());
    await Promise.all([before?.close(), capture.open(this.#rate, take)]);
  }

  /** Let go of the microphone, and of the worklet: nothing is taken after it. */
  async stop() {
    await this.#capture?.close();
  }
}

/** What one start opens, and its end lets go of, in whatever order the browser gets to them. */
class Capture {
  #wanted = true;
  /** @type {MediaStream | undefined} */ #media;
  /** @type {AudioContext | undefined} */ #context;
  /** @type {(() => void) | undefined} */ #deafen;

  /**
   * @param {number} rate
   * @param {(samples: Float32Array) => void} take
   */
  async open(rate, take) {
    try {
      this.#media = await navigator.mediaDevices.getUserMedia({ audio: QUALITY });
      if (!this.#wanted) return await this.close();
      this.#context = new AudioContext({ sampleRate: rate });
      this.#deafen = await listen(this.#context.createMediaStreamSource(this.#media), take);
    } catch (error) {
      const wanted = this.#wanted; // what was stopped has no error to tell
      await this.close();
      if (wanted) throw error;
    }
    if (!this.#wanted) await this.close(); // it was stopped before it had begun
  }

  async close() {
    this.#wanted = false;
    this.#deafen?.();
    for (const track of this.#media?.getTracks() ?? []) track.stop();
    const context = this.#context;
    this.#deafen = this.#media = this.#context = undefined;
    await context?.close();
  }
}
