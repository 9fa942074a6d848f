// Results that move: snapshots over a WebSocket with growing versions; older ones are dropped. After two failures in a row
// the page also asks the API, until a socket is open again. However long the server was away, the figures move again within
// three seconds of its return: sockets are tried more and more seldom, but the API every two seconds, and its first answer
// opens a socket at once.

import { askJson } from "./network.js";
import { clock } from "./times.js";
import { backoff, inWords, number, say, share } from "./words.js";

const POLL_MS = 3_000; // while it answers and no socket opens
const ASK_AGAIN_MS = 2_000; // while it does not; never all pages in the same moment: see `soon`
const ANSWER_MS = 3_000; // what a handshake or an answer may take
const RESTORED_AFTER_MS = 10_000;
const POLL_AFTER_FAILURES = 2;
const SPEAK_EVERY_MS = 10_000;
const FINAL = new Set(["closed", "archived"]);
const STATE_WORDS = { open: "Open", closing: "Closing", closed: "Closed" };

const soon = (ms) => ms * (0.75 + Math.random() / 2);

/** A socket to the news of a competition; null where the browser has none, or refuses: then the page polls. */
function openSocket(id) {
  try {
    return new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/live/${id}`);
  } catch {
    return null;
  }
}

class Results {
  constructor(root) {
    this.root = root;
    this.id = root.dataset.live;
    this.version = Number(root.dataset.version);
    this.state = root.dataset.state;
    this.failures = 0;
    this.loadedAt = Date.now();
    this.spokenAt = Date.now();
    this.labels = new Map(
      [...root.querySelectorAll("[data-label]")].map((label) => [label.dataset.label, label.textContent]),
    );
    this.writeNumbers();
    if (!FINAL.has(this.state)) this.connect();
  }

  connect() {
    clearTimeout(this.connecting);
    const socket = openSocket(this.id);
    if (!socket) {
      this.lose();
      return;
    }
    this.socket?.close();
    this.socket = socket;
    this.connecting = setTimeout(() => socket.close(), ANSWER_MS);
    socket.addEventListener("message", (event) => {
      if (socket !== this.socket) return;
      clearTimeout(this.connecting);
      this.failures = 0;
      this.stopPolling();
      this.take(JSON.parse(event.data));
      this.tell("live");
    });
    socket.addEventListener("close", (event) => {
      if (socket !== this.socket) return;
      // Logged out, hidden from now on, or gone: the page says which.
      if (event.code >= 4400 && event.code < 4500) location.reload();
      else this.lose();
    });
  }

  lose() {
    clearTimeout(this.connecting);
    if (FINAL.has(this.state)) return;
    this.failures += 1;
    if (this.failures >= POLL_AFTER_FAILURES) this.startPolling();
    else this.tell("lost");
    this.connecting = setTimeout(() => this.connect(), backoff(this.failures, { first: 400, most: 15_000 }));
  }

  startPolling() {
    if (this.polling) return;
    this.polling = true;
    this.poll();
  }

  stopPolling() {
    this.polling = false;
    clearTimeout(this.asking);
  }

  async poll() {
    const answered = await this.ask();
    if (!this.polling) return;
    this.tell(answered ? "polling" : "lost");
    if (answered && this.isAway) this.connect();
    this.isAway = !answered;
    this.asking = setTimeout(() => this.poll(), soon(answered ? POLL_MS : ASK_AGAIN_MS));
  }

  async ask() {
    const how = { headers: { Accept: "application/json" } };
    try {
      const { response, said } = await askJson(`/api/competitions/${this.id}/results`, how, ANSWER_MS);
      if (!response.ok || !said) return false;
      this.take(said);
      return true;
    } catch {
      return false;
    }
  }

  /**
   * Shows a snapshot, unless a newer one was shown just now. No process is behind by more than a moment, so an older version
   * that comes long after is the truth of a restored database.
   */
  take(snapshot) {
    const shownAt = this.updatedAt ?? this.loadedAt;
    if (snapshot.version < this.version && Date.now() - shownAt < RESTORED_AFTER_MS) return;
    this.version = snapshot.version;
    this.state = snapshot.state;
    this.figures = snapshot;
    this.updatedAt = new Date();
    this.write(snapshot);
    this.speak();
    if (FINAL.has(this.state)) this.stopPolling();
  }

  write({ options, total }) {
    for (const [key, votes] of Object.entries(options)) {
      this.set(`[data-votes="${key}"]`, number(votes));
      this.set(`[data-share="${key}"]`, share(votes, total));
      const width = `${total ? (100 * votes) / total : 0}%`;
      this.root.querySelectorAll(`[data-bar="${key}"]`).forEach((bar) => bar.setAttribute("width", width));
    }
    this.set("[data-total]", number(total));
    this.set("[data-votes-word]", total === 1 ? "vote" : "votes");
    const verdict = this.verdict(options, total);
    this.set("[data-verdict]", verdict);
    this.root.querySelector("[data-verdict]").hidden = !verdict;
    this.root.querySelectorAll("[data-waiting]").forEach((line) => (line.hidden = this.state !== "closing"));
    this.writeState();
    this.writeWhile();
  }

  /** The server wrote 1,234; the reader may write it another way. */
  writeNumbers() {
    const options = {};
    for (const key of this.labels.keys()) {
      options[key] = Number(this.root.querySelector(`[data-votes="${key}"]`).textContent.replaceAll(",", ""));
    }
    const total = Object.values(options).reduce((sum, votes) => sum + votes, 0);
    for (const [key, votes] of Object.entries(options)) {
      this.set(`[data-votes="${key}"]`, number(votes));
      this.set(`[data-share="${key}"]`, share(votes, total));
    }
    this.set("[data-total]", number(total));
  }

  /** The line at the head of the page says the state too. */
  writeState() {
    const line = document.querySelector("main > [data-state]");
    if (!line || line.dataset.state === this.state || !(this.state in STATE_WORDS)) return;
    line.dataset.state = this.state;
    const word = line.querySelector("[data-state-word]");
    word.textContent = STATE_WORDS[this.state];
    word.hidden = false;
    delete word.dataset.until; // what the clock says gives way to what is so
    line.querySelector(".dot").className = `dot ${this.state}`;
    line.querySelectorAll("span:not(.dot, [data-state-word])").forEach((old) => old.remove());
  }

  /** What holds only while voting is open, or once it is over. A ballot on its way stays where its voter sees it. */
  writeWhile() {
    if (document.querySelector("[data-sending]")) return;
    const word = this.state === "open" ? "open" : "over";
    document.querySelectorAll("main [data-while]").forEach((piece) => (piece.hidden = piece.dataset.while !== word));
  }

  /** Only what is certain; the templates say the same. */
  verdict(options, total) {
    if (this.state !== "closed") return total ? "" : "No votes counted yet.";
    const best = Math.max(...Object.values(options));
    const leaders = Object.keys(options).filter((key) => best > 0 && options[key] === best);
    const names = leaders.map((key) => this.labels.get(key));
    if (!names.length) return "Nobody voted.";
    if (names.length === 1) return `${names[0]} has the most votes.`;
    return `A tie: ${inWords(names)} have equally many votes.`;
  }

  /** How the figures come, and of when they are. */
  tell(word) {
    const shown = FINAL.has(this.state) ? "final" : this.state === "closing" && word === "live" ? "closing" : word;
    say(this.root, shown);
    const updated = this.root.querySelector("[data-updated]");
    updated.hidden = shown === "final" || !this.updatedAt;
    if (this.updatedAt) updated.textContent = `updated ${clock(this.updatedAt)}`;
  }

  /** Says the result to a screen reader, not more often than every ten seconds. */
  speak() {
    const wait = this.spokenAt + SPEAK_EVERY_MS - Date.now();
    if (wait > 0) {
      this.speaking ??= setTimeout(() => this.speak(), wait);
      return;
    }
    this.speaking = undefined;
    this.spokenAt = Date.now();
    const { options, total } = this.figures;
    const parts = Object.entries(options).map(([key, votes]) => `${this.labels.get(key)} ${number(votes)}`);
    this.set("[data-announce]", `${number(total)} votes. ${parts.join(", ")}.`);
  }

  set(selector, text) {
    this.root.querySelectorAll(selector).forEach((place) => {
      if (place.textContent !== text) place.textContent = text;
    });
  }
}

/** Starts every result under `root`. */
export function startLive(root) {
  root.querySelectorAll("[data-live]").forEach((results) => new Results(results));
}
