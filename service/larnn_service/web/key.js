// The key of this service, where it asks for one; kept for the tab.

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
