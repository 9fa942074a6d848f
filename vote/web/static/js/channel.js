// How a page hears what is new: over a WebSocket, and after two failures in a row by asking the API, until a socket is open
// again. However long the server was away, news comes again within three seconds of its return: sockets are tried more and
// more seldom, but the API every two seconds, and its first answer opens a socket at once. Retry-After is kept.

import { ask } from "./ask.js";
import { backoff } from "./words.js";

const POLL_MS = 3_000; // while it answers and no socket opens
const POLL_STATE_MS = 5_000; // the same where no figures move
const ASK_AGAIN_MS = 2_000; // while it does not; never all pages in the same moment: see `soon`
const FINAL_MS = 60_000; // on a final page: only a reopening could be new
const HANDSHAKE_MS = 3_000;
const POLL_AFTER_FAILURES = 2;
const REFUSALS = new Set([401, 403, 404, 410]); // logged out, hidden from now on, or gone

const soon = (ms) => ms * (0.75 + Math.random() / 2);

/** A socket; null where there are none. */
function open(address) {
  try {
    return new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${address}`);
  } catch {
    return null;
  }
}

export class Channel {
  /** `hear` gets each message, `tell` how they come (live, polling, lost), `refuse` that the page may no longer be here. */
  constructor(id, { hasFigures, hear, tell, refuse }) {
    Object.assign(this, { id, hasFigures, hear, tell, refuse });
    this.failures = 0;
    this.isOver = false;
    addEventListener("online", () => this.hurry());
    document.addEventListener("visibilitychange", () => document.hidden || this.hurry());
  }

  /** Only a reopening may come: a socket that is open hears of it, and from now on the API is asked seldom. */
  end() {
    this.isOver = true;
    this.stopPolling();
    clearTimeout(this.connecting);
    this.asking = setTimeout(() => this.askSeldom(), soon(FINAL_MS));
  }

  async askSeldom() {
    const { status, body } = document.hidden ? {} : await ask(`/api/competitions/${this.id}`);
    if (!this.isOver) return;
    this.end();
    if (REFUSALS.has(status)) this.refuse(status);
    else if (body) this.hear(body);
  }

  connect() {
    this.isOver = false;
    clearTimeout(this.connecting);
    this.kind = this.hasFigures() ? "page" : "state";
    const socket = open(`${location.host}/live/${this.id}?kind=${this.kind}`);
    this.socket?.close();
    this.socket = socket;
    if (!socket) return this.lose();
    this.isOpen = false;
    this.connecting = setTimeout(() => socket.close(), HANDSHAKE_MS);
    socket.addEventListener("message", (event) => {
      if (socket !== this.socket) return;
      clearTimeout(this.connecting);
      this.failures = 0;
      this.isOpen = true;
      this.stopPolling();
      this.hear(JSON.parse(event.data));
      this.tell("live");
    });
    socket.addEventListener("close", (event) => {
      if (socket !== this.socket) return;
      this.isOpen = false;
      if (event.code >= 4400 && event.code < 4500) this.refuse(event.code - 4000);
      else this.lose();
    });
    return undefined;
  }

  /** Figures have come to the page, or gone from it: another kind of message is needed. */
  reconsider() {
    if (!this.isOver && this.socket && this.kind !== (this.hasFigures() ? "page" : "state")) this.connect();
  }

  /** The network is back, or someone looks at the page again. */
  hurry() {
    if (this.isOver) this.askSeldom();
    else if (this.failures > 0 && !this.isOpen) this.connect();
  }

  lose() {
    clearTimeout(this.connecting);
    if (this.isOver) return;
    this.failures += 1;
    if (this.failures >= POLL_AFTER_FAILURES) this.startPolling();
    else this.tell("lost");
    this.connecting = setTimeout(() => this.connect(), backoff(this.failures, { first: 400, most: 15_000 }));
  }

  startPolling() {
    if (this.isPolling) return;
    this.isPolling = true;
    clearTimeout(this.asking);
    this.asking = setTimeout(() => this.poll(), Math.max(0, (this.notBefore ?? 0) - Date.now()));
  }

  stopPolling() {
    this.isPolling = false;
    clearTimeout(this.asking);
  }

  async poll() {
    const { answered, waitMs, refused } = await this.askAll();
    this.notBefore = Date.now() + waitMs; // also for a poll that begins anew after a socket was open in between
    if (!this.isPolling && !this.isOver) return; // a socket has opened meanwhile
    if (refused) {
      this.stopPolling();
      this.refuse(refused);
      return;
    }
    this.tell(answered ? "polling" : "lost");
    if (answered && this.isAway && !this.isOver) this.connect();
    this.isAway = !answered;
    if (this.isOver) return;
    const pace = answered ? (this.hasFigures() ? POLL_MS : POLL_STATE_MS) : ASK_AGAIN_MS;
    this.asking = setTimeout(() => this.poll(), Math.max(waitMs, soon(pace)));
  }

  /** The figures, where the page has any, then the rest of the table: an answer that is no good ends it. */
  async askAll() {
    const path = `/api/competitions/${this.id}`;
    for (const one of this.hasFigures() ? [`${path}/results`, path] : [path]) {
      const { status, body, waitMs } = await ask(one);
      if (REFUSALS.has(status)) return { refused: status, waitMs };
      if (!body) return { answered: false, waitMs };
      if (this.isPolling || this.isOver) this.hear(body);
    }
    return { answered: true, waitMs: 0 };
  }
}
