// Shows one of several prepared sentences: the words stand in the page, the script only chooses among them.

/** Shows the `data-when` pieces under `root` that carry this word, and hides the others. */
export function say(root, word) {
  for (const piece of root.querySelectorAll("[data-when]")) {
    piece.hidden = piece.dataset.when !== word;
  }
}

/** What people have written, to stand inside a sentence of ours: its direction of writing is its own, and ends with it. */
export function isolated(text) {
  const element = document.createElement("bdi");
  element.textContent = text;
  return element;
}

/** A number in the reader's locale. */
export const number = (value) => new Intl.NumberFormat().format(value);

/** "58.3 %": a part of a total in per cent with one decimal, in the reader's locale; 0 where nobody has voted. */
export const share = (part, total) => {
  const percent = new Intl.NumberFormat(undefined, { minimumFractionDigits: 1, maximumFractionDigits: 1 });
  return `${percent.format(total ? (100 * part) / total : 0)}\u00a0%`;
};

/** "1 vote" or "27 votes". */
export const votes = (count) => `${number(count)} ${count === 1 ? "vote" : "votes"}`;

/** "a, b and c" in pieces, each name isolated. */
export function listed(names) {
  if (typeof Intl.ListFormat !== "function") return names.flatMap((name, index) => [...(index ? [", "] : []), isolated(name)]);
  const pieces = new Intl.ListFormat("en-GB").formatToParts(names);
  return pieces.map(({ type, value }) => (type === "element" ? isolated(value) : value));
}

/** Waits this many milliseconds. */
export const pause = (ms) => new Promise((done) => setTimeout(done, ms));

/** The next wait after a failure: doubled up to `most`, and spread so that not everyone comes back at once. */
export const backoff = (failures, { first = 500, most = 10_000 } = {}) =>
  Math.min(most, first * 2 ** Math.max(0, failures - 1)) * (0.5 + Math.random());
