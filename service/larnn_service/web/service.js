// What the page asks of the service before it streams: the models, with a key where one is needed.

const KEY = "larnn-key";

/** The key given to this tab: in the address behind # (which no server sees), or typed before. */
export function key() {
  const given = new URLSearchParams(location.hash.slice(1)).get("key");
  if (given) {
    keep(given);
    history.replaceState(null, "", location.pathname + location.search);
  }
  return sessionStorage.getItem(KEY);
}

export function keep(value) {
  sessionStorage.setItem(KEY, value);
}

export class KeyWanted extends Error {}

/** GET /models. Throws KeyWanted. */
export async function models() {
  const headers = key() ? { Authorization: `Bearer ${key()}` } : {};
  const response = await fetch("models", { headers });
  if (response.status === 401) throw new KeyWanted((await response.json()).detail);
  if (!response.ok) throw new Error(`the service answers ${response.status}`);
  return response.json();
}

/** Where streams of a model are opened; with attention, where it has some. */
export function streamAddress(model) {
  const url = new URL("stream", location);
  url.protocol = url.protocol.replace("http", "ws");
  url.search = new URLSearchParams({ model: model.name, explain: model.explains });
  url.hash = "";
  return url.href;
}
