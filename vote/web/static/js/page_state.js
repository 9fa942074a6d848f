// What an open page knows of its competition: one table, whether the socket sent it or the API answered with it
// (vote/domain/page_state.py). What the page has to do about it is decided here, for both ways.

const OVER = new Set(["closed", "archived"]);

/** Whether a page made for `shown` is no news to one that knows more. */
export const isBehind = (page, shown, known) =>
  page.revision < known.revision || (page.revision === shown.revision && known.state !== shown.state);

/** Final: nothing moves any more, unless voting is reopened. */
export const isOver = (state) => OVER.has(state);

const FIELDS = [
  "state",
  "revision",
  "final",
  "opens_at",
  "closes_at",
  "results_visibility",
  "reopened_at",
  "previous_final_at",
  "corrections",
];

/** The table in a message or an answer; a tally by itself says the state only. */
export function readState(message) {
  const said = message.page ?? message;
  const known = Object.fromEntries(FIELDS.filter((name) => name in said).map((name) => [name, said[name]]));
  if (Array.isArray(known.corrections)) known.corrections = known.corrections.length; // the API has their words too
  return known;
}

/** Whether one table is older than another. */
export const isOlder = (one, other) => one.revision !== undefined && other?.revision > one.revision;

/**
 * When the page must be had anew from the server: "soon" where it cannot show by itself what is so, "later" where all that
 * matters is written in place and only its words are the server's, or "never".
 *
 * `shown`: state and revision the page was made for, whether it has `figures`, and whether it has a `ballot` to cast.
 */
export function urgency(shown, known) {
  if (known.state === shown.state) return known.revision === shown.revision ? "never" : "soon"; // words, times, who sees what
  if (shown.state === "open" && known.state === "closing") return shown.ballot ? "soon" : "later";
  if ((shown.state === "open" || shown.state === "closing") && isOver(known.state)) return shown.figures ? "later" : "soon";
  return "soon";
}

/** What a screen reader is told; nothing while the page is as it was. */
export function announcement(shown, known) {
  if (known.state === shown.state) return known.corrections > (shown.corrections ?? 0) ? "The wording was corrected." : "";
  if (known.state === "open") return isOver(shown.state) || shown.state === "closing" ? "Voting was reopened." : "Voting is open.";
  if (known.state === "closing") return "Voting has ended. The last ballots are being counted.";
  return known.state === "closed" ? "Voting has ended. The result is final." : "";
}
