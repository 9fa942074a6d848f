// The dashboard's form: one option more or less without a round trip, and times in the organiser's own zone.

const KEYS = "abcdefghijklmnopqrstuvwxyz";

/** `2030-01-31T18:00` in the reader's zone, from the same in UTC. */
function toLocal(text) {
  if (!text) return text;
  const at = new Date(`${text}Z`);
  const two = (value) => String(value).padStart(2, "0");
  const day = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
  const seconds = at.getSeconds() ? `:${two(at.getSeconds())}` : "";
  return `${day}T${two(at.getHours())}:${two(at.getMinutes())}${seconds}`;
}

/** Puts the reader's zone in a form that nobody has typed in yet. */
function startZone(form) {
  const { zone } = form.elements;
  const own = Intl.DateTimeFormat().resolvedOptions().timeZone;
  if (!zone || !own || !("fresh" in form.dataset)) return;
  const inputs = ["opens_at", "closes_at"].map((name) => form.elements[name]).filter(Boolean);
  const times = inputs.map((input) => toLocal(input.value)); // an exception leaves zone and times as they are
  zone.value = own;
  for (const [index, input] of inputs.entries()) {
    input.value = times[index];
    input.defaultValue = input.value; // so that a reload does not shift it twice
    const shown = form.querySelector(`[data-shown="${input.name}"]`); // sent back: what nobody touches is not written
    if (shown && input.value) shown.value = shown.defaultValue = `${input.value} ${own}`;
  }
  zone.defaultValue = own;
}

class Options {
  constructor(group) {
    this.group = group;
    this.more = group.querySelector("[data-more]");
    this.more?.addEventListener("click", (event) => {
      this.add(); // where this fails, the form is sent for more options as without a script
      event.preventDefault();
    });
    group.addEventListener("click", (event) => {
      const button = event.target.closest("[data-remove]");
      if (button) this.remove(button.closest(".option"));
    });
    while (this.rows.length > 2 && !this.rows.at(-1).querySelector("input").value) this.rows.at(-1).remove();
    this.letter();
  }

  get rows() {
    return [...this.group.querySelectorAll(".option")];
  }

  add() {
    const row = this.rows[0].cloneNode(true);
    row.classList.remove("has-error");
    row.querySelector(".error")?.remove();
    const input = row.querySelector("input");
    for (const name of ["aria-invalid", "aria-describedby", "autofocus"]) input.removeAttribute(name);
    input.value = "";
    this.rows.at(-1).after(row);
    this.letter();
    input.focus();
  }

  remove(row) {
    const next = row.nextElementSibling?.matches(".option") ? row.nextElementSibling : row.previousElementSibling;
    row.remove();
    this.letter();
    next.querySelector("input").focus();
  }

  /** Names the rows a, b, … again, and shows what can be done. */
  letter() {
    this.rows.forEach((row, index) => {
      const key = KEYS[index];
      row.querySelector("input").id = `option-${key}`;
      const label = row.querySelector("label");
      label.htmlFor = `option-${key}`;
      label.lastChild.data = key;
      const remove = row.querySelector("[data-remove]");
      remove.hidden = this.rows.length <= 2;
      remove.querySelector(".visually-hidden").textContent = `Remove option ${key}`;
    });
    if (this.more) this.more.hidden = this.rows.length >= KEYS.length;
  }
}

/** Starts every form of the dashboard under `root`. */
export function startDesk(root) {
  root.querySelectorAll("[data-competition-form]").forEach(startZone);
  root.querySelectorAll("[data-options]").forEach((group) => new Options(group));
}
