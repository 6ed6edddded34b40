// When a device may have slept: timers stood still, and connections may be gone without a word.

const WINDOW = ["online", "pageshow"];

/**
 * Calls `woken` where a page is shown again, or its network is back; never outside of a page. What is
 * given stops it.
 * @param {() => void} woken
 * @returns {() => void}
 */
export function onWake(woken) {
  const { document } = globalThis;
  if (!document) return () => {};
  const stop = new AbortController();
  const { signal } = stop;
  const shown = () => document.visibilityState === "visible" && woken();
  document.addEventListener("visibilitychange", shown, { signal });
  for (const event of WINDOW) globalThis.addEventListener(event, woken, { signal });
  return () => stop.abort();
}
