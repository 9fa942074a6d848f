// A page that is left open stays true: what it knows of its competition comes in over the channel, is written in place where
// the page has the words for it, and else the page's content is had anew from the server. What a voter has chosen stays.

import { askPage } from "./ask.js";
import { Channel } from "./channel.js";
import { figures, startLive } from "./live.js";
import { announcement, isBehind, isOlder, isOver, readState, urgency } from "./page_state.js";
import { startReceipts } from "./receipts.js";
import { startVoting } from "./vote.js";
import { backoff } from "./words.js";

const SOON_MS = 1_500; // not all pages in the same moment: at a close thousands are open
const LATER_MS = 30_000;
const BUSY_MS = 500; // a ballot is on its way, or the server's page is older than the news
const RELOADED_MS = 5_000; // a page that was reloaded and is refused again is not reloaded without a pause
const RESTORED_AFTER_MS = 10_000; // no process is behind for longer: an older revision is the truth of a restored database
const ENDED = new Set(["closing", "closed", "archived"]);
const STATE_WORDS = { open: "Open", closing: "Closing", closed: "Closed", archived: "Archived" };

class OpenPage {
  constructor(main) {
    this.main = main;
    this.learnedAt = Date.now();
    this.read();
    this.channel = new Channel(this.mark.dataset.watch, {
      hasFigures: () => Boolean(main.querySelector("[data-live]")),
      hear: (message) => this.hear(message),
      tell: (word) => figures()?.tell(word),
      refuse: () => this.leave(),
    });
    document.addEventListener("page:changed", () => this.channel.reconsider());
    if (isOver(this.shown.state)) this.channel.end();
    else this.channel.connect();
  }

  /** What the page shows, as the server made it. */
  read() {
    this.mark = this.main.querySelector("[data-watch]");
    const { knownState: state, revision } = this.mark.dataset;
    const corrections = this.main.querySelectorAll(".corrections > li").length;
    this.shown = { state, revision: Number(revision), corrections };
    this.known = this.shown;
  }

  hear(message) {
    if ("options" in message && "total" in message) figures()?.take(message);
    this.learn(readState(message));
  }

  learn(state) {
    if (isOlder(state, this.known) && Date.now() - this.learnedAt < RESTORED_AFTER_MS) return;
    const [before, now] = [this.known, { ...this.known, ...state }];
    this.known = now;
    this.learnedAt = Date.now();
    if (now.state !== before.state) this.writeState();
    if (now.state !== before.state || now.corrections > before.corrections) {
      this.mark.textContent = announcement(before, now);
    }
    if (isOver(now.state)) this.channel.end();
    else if (isOver(before.state)) this.channel.connect(); // reopened
    this.plan(urgency(this.shownNow(), now));
  }

  shownNow() {
    const { main } = this;
    const ballot = Boolean(main.querySelector("[data-cast]") && !main.querySelector("[data-slip]"));
    return { ...this.shown, figures: Boolean(main.querySelector("[data-live]")), ballot };
  }

  /** The newest news decides when the page is had anew; what was planned before it no longer counts. */
  plan(when) {
    if (when === this.planned) return;
    clearTimeout(this.timer);
    this.planned = when;
    if (when === "soon") this.timer = setTimeout(() => this.renew(), SOON_MS * Math.random());
    if (when === "later") this.timer = setTimeout(() => this.renew(), LATER_MS * (0.2 + 0.8 * Math.random()));
  }

  async renew(failures = 0) {
    const again = (ms, count = failures) => (this.timer = setTimeout(() => this.renew(count), ms));
    if (isSending(this.main)) return again(BUSY_MS);
    const { status, body, waitMs } = await askPage(location.pathname + location.search);
    if (status >= 400 && status < 500 && status !== 429) return this.leave();
    if (!body) return again(Math.max(waitMs, backoff(failures + 1)), failures + 1);
    const fresh = body.querySelector("main");
    const mark = fresh?.querySelector("[data-watch]");
    if (!mark) return this.leave();
    const lacksVote = this.main.querySelector("[data-slip]") && !fresh.querySelector("[data-slip]");
    const page = { state: mark.dataset.knownState, revision: Number(mark.dataset.revision) };
    if (isSending(this.main)) return again(BUSY_MS);
    if (lacksVote || isBehind(page, this.shown, this.known)) return again(backoff(failures + 1), failures + 1);
    this.put(fresh, body.title);
    return undefined;
  }

  /** Puts the server's content in place of this page's. Choice, opened pieces and focus stay where they are still there. */
  put(fresh, title) {
    const { main, known } = this;
    const chosen = main.querySelector('[name="vote"]:checked')?.value;
    const opened = [...main.querySelectorAll("details")].map((piece) => piece.open);
    const focused = main.contains(document.activeElement) ? placeOf(document.activeElement) : null;
    main.replaceChildren(...fresh.childNodes);
    document.title = title;
    if (chosen) {
      const option = main.querySelector(`[name="vote"][value="${CSS.escape(chosen)}"]`);
      if (option) option.checked = true;
    }
    const pieces = [...main.querySelectorAll("details")];
    if (pieces.length === opened.length) pieces.forEach((piece, index) => (piece.open = opened[index]));
    this.planned = undefined;
    const said = this.mark.textContent;
    this.read();
    this.mark.textContent = said;
    if (isOver(this.shown.state)) this.channel.end(); // before it hears that figures have come
    startVoting(main);
    startLive(main);
    startReceipts(main);
    if (focused !== null) ((focused && main.querySelector(focused)) || main).focus({ preventScroll: true });
    document.dispatchEvent(new CustomEvent("page:changed"));
    if (known.revision > this.shown.revision) this.learn(known);
  }

  /** The line at the head of the page, and what holds only in some states. A ballot on its way stays where its voter sees it. */
  writeState() {
    const { state } = this.known;
    const line = this.main.querySelector(":scope > .state[data-state]");
    if (line && line.dataset.state !== state && state in STATE_WORDS) {
      line.dataset.state = state;
      const word = line.querySelector("[data-state-word]");
      word.textContent = STATE_WORDS[state];
      word.hidden = false;
      delete word.dataset.until; // what the clock says gives way to what is so
      line.querySelector(".dot").className = `dot ${state}`;
      line.querySelectorAll("span:not(.dot, [data-state-word])").forEach((old) => old.remove());
    }
    if (isSending(this.main)) return;
    const words = [state, ENDED.has(state) ? "over" : state];
    this.main.querySelectorAll("[data-while]").forEach((piece) => {
      piece.hidden = !piece.dataset.while.split(" ").some((word) => words.includes(word));
    });
  }

  /** Logged out, hidden from now on, or gone: the whole page says which. */
  leave() {
    const wasReloaded = performance.getEntriesByType("navigation")[0]?.type === "reload";
    setTimeout(() => location.reload(), wasReloaded ? Math.max(0, RELOADED_MS - performance.now()) : 0);
  }
}

/** A ballot is on its way: its voter needs what is on the page until it is settled. */
const isSending = (main) => main.querySelector("[data-sending]") !== null;

/** How to find an element again in a page that is made anew. */
function placeOf(element) {
  if (element.id) return `#${CSS.escape(element.id)}`;
  if (element.name && element.type === "radio") return `[name="${element.name}"][value="${CSS.escape(element.value)}"]`;
  if (element.matches("[data-vote-button]")) return "[data-vote-button]";
  return element.getAttribute("href") ? `a[href="${CSS.escape(element.getAttribute("href"))}"]` : "";
}

/** Starts what keeps a competition's page true. */
export function startPage(root) {
  const main = root.querySelector("main");
  if (main?.querySelector("[data-watch]")) new OpenPage(main);
}
