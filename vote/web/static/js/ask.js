// What a page asks our own server for its news. A network that fails or hangs is status 0.

import { askWithin } from "./network.js";

const ANSWER_MS = 3_000;

/** The status of an answer, its body where it is a good one, and how long the server wants us to wait. */
export async function ask(path, { accept = "application/json", read = (response) => response.json() } = {}) {
  const readGood = (response) => (response.ok ? read(response) : null);
  try {
    const { response, said } = await askWithin(path, { headers: { Accept: accept } }, ANSWER_MS, readGood);
    return { status: response.status, body: said, waitMs: waitMs(response.headers.get("Retry-After")) };
  } catch {
    return { status: 0, body: null, waitMs: 0 };
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
