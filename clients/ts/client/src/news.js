// Waiting for what other code will tell.

/** Wakes whoever waits: they look again whether what they wait for is there. */
export class News {
  /** @type {Set<() => void>} */ #waiting = new Set();

  tell() {
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const wake of waiting) wake();
  }

  /**
   * Until the next `tell`, or for so many milliseconds.
   * @param {number} [most]
   * @returns {Promise<void>}
   */
  next(most) {
    return new Promise((resolve) => {
      /** @type {ReturnType<typeof setTimeout> | undefined} */
      let timer;
      const wake = () => {
        clearTimeout(timer);
        this.#waiting.delete(wake);
        resolve();
      };
      this.#waiting.add(wake);
      if (most !== undefined) timer = setTimeout(wake, most);
    });
  }
}
