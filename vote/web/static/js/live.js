// Results that move: snapshots with growing versions; older ones are dropped. How they come is channel.js's matter.

import { isOver } from "./page_state.js";
import { clock } from "./times.js";
import { listed, number, say, share, votes } from "./words.js";

const RESTORED_AFTER_MS = 10_000;
const SPEAK_EVERY_MS = 10_000;

const views = new WeakMap();

class Results {
  constructor(root) {
    this.root = root;
    this.version = Number(root.dataset.version);
    this.state = root.dataset.state;
    this.loadedAt = Date.now();
    this.spokenAt = Date.now();
    this.labels = new Map(
      [...root.querySelectorAll("[data-label]")].map((label) => [label.dataset.label, label.textContent]),
    );
    this.writeNumbers();
    if (isOver(this.state)) this.tell("final");
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
  }

  write({ options, total }) {
    for (const [key, count] of Object.entries(options)) {
      this.set(`[data-votes="${key}"]`, number(count));
      this.set(`[data-share="${key}"]`, share(count, total));
      const width = `${total ? (100 * count) / total : 0}%`;
      this.root.querySelectorAll(`[data-bar="${key}"]`).forEach((bar) => bar.setAttribute("width", width));
    }
    this.set("[data-total]", number(total));
    this.set("[data-votes-word]", total === 1 ? "vote" : "votes");
    this.writeVerdict(this.verdict(options, total));
    this.root.querySelectorAll("[data-waiting]").forEach((line) => (line.hidden = this.state !== "closing"));
  }

  /** The server wrote 1,234; the reader may write it another way. */
  writeNumbers() {
    const options = {};
    for (const key of this.labels.keys()) {
      options[key] = Number(this.root.querySelector(`[data-votes="${key}"]`).textContent.replaceAll(",", ""));
    }
    const total = Object.values(options).reduce((sum, count) => sum + count, 0);
    for (const [key, count] of Object.entries(options)) {
      this.set(`[data-votes="${key}"]`, number(count));
      this.set(`[data-share="${key}"]`, share(count, total));
    }
    this.set("[data-total]", number(total));
    if (isOver(this.state)) this.writeVerdict(this.verdict(options, total));
  }

  writeVerdict(pieces) {
    const place = this.root.querySelector("[data-verdict]");
    const text = pieces.map((piece) => piece.textContent ?? piece).join("");
    if (place.textContent !== text) place.replaceChildren(...pieces);
    place.hidden = !text;
  }

  /** Only what is certain, in pieces; the templates say the same. */
  verdict(options, total) {
    if (!isOver(this.state)) return total ? [] : ["No votes counted yet."];
    const best = Math.max(...Object.values(options));
    const leaders = Object.keys(options).filter((key) => best > 0 && options[key] === best);
    const names = leaders.map((key) => this.labels.get(key));
    if (!names.length) return ["Nobody voted."];
    const [kind, each] = names.length === 1 ? ["Winner", ""] : ["Tie", " each"];
    return [`${kind}: `, ...listed(names), `, ${number(best)} of ${votes(total)}${each} (${share(best, total)})`];
  }

  /** How the figures come, and of when they are. */
  tell(word) {
    const shown = isOver(this.state) ? "final" : this.state === "closing" && word === "live" ? "closing" : word;
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
    const parts = Object.entries(options).map(([key, count]) => `${this.labels.get(key)} ${number(count)}`);
    this.set("[data-announce]", `${votes(total)}. ${parts.join(", ")}.`);
  }

  set(selector, text) {
    this.root.querySelectorAll(selector).forEach((place) => {
      if (place.textContent !== text) place.textContent = text;
    });
  }
}

/** The figures this page shows now; undefined where it shows none. */
export const figures = () => views.get(document.querySelector("main [data-live]"));

/** Starts every result under `root`. */
export function startLive(root) {
  root.querySelectorAll("[data-live]").forEach((results) => views.set(results, new Results(results)));
}
