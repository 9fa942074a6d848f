// Asks our own server, and never waits for ever. A network that fails or hangs is status 0.

const ANSWER_MS = 3_000;

/** The status of an answer, its body where it is a good one, and how long the server wants us to wait. */
export async function ask(path, { accept = "application/json", read = (response) => response.json() } = {}) {
  const limit = new AbortController();
  const timer = setTimeout(() => limit.abort(), ANSWER_MS);
  try {
    const response = await fetch(path, { headers: { Accept: accept }, signal: limit.signal });
    const body = response.ok ? await read(response) : null;
    return { status: response.status, body, waitMs: waitMs(response.headers.get("Retry-After")) };
  } catch {
    return { status: 0, body: null, waitMs: 0 };
  } finally {
    clearTimeout(timer);
  }
}

/** Retry-After is a number of seconds or a date (RFC 9110 §10.2.3). */
function waitMs(text) {
  if (!text) return 0;
  const seconds = Number(text);
  return Math.max(0, Number.isNaN(seconds) ? new Date(text) - Date.now() || 0 : 1000 * seconds);
}

/** A page as the server shows it to this visitor now. */
export const askPage = (path) =>
  ask(path, {
    accept: "text/html",
    read: async (response) => new DOMParser().parseFromString(await response.text(), "text/html"),
  });
