// Says what a new password still needs while it is typed. Only the server refuses; this only helps, and sends nothing.

const LENGTH = 8;
const LONG = 14;

/** A sentence about a password; empty when there is nothing to say. `own`: name and address typed beside it. */
export function judge(password, own) {
  const length = [...password].length;
  if (length === 0) return "";
  if (length < LENGTH) return `${LENGTH - length} more ${LENGTH - length === 1 ? "character" : "characters"} needed.`;
  const folded = password.toLowerCase();
  const letters = folded.replace(/[^\p{L}]/gu, "");
  const names = own.map((one) => one.toLowerCase().split("@")[0]).filter((one) => one.length > 2);
  if (names.some((one) => folded.includes(one))) return "It contains your name, which is easy to guess.";
  if (new Set(folded).size < 5) return "A few characters repeated are easy to guess. More words make it stronger.";
  if (letters.length > 0 && letters.length <= 7 && length < LONG)
    return "One word with digits is among the first things attackers try. More words make it stronger.";
  return length < LONG ? "Good. More words make it stronger." : "Strong.";
}

/** Speaks beside every field for a new password under `root`. */
export function startPasswords(root) {
  for (const place of root.querySelectorAll("[data-strength-of]")) {
    const field = root.getElementById(place.dataset.strengthOf);
    const own = () =>
      ["username", "email"].map((name) => field.form.elements[name]?.value ?? "");
    field.addEventListener("input", () => {
      place.textContent = judge(field.value, own());
      place.hidden = !place.textContent;
    });
  }
}
