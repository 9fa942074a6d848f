// The token of a link in a mail stands after the # of the address, which no browser sends. It is written into the form, and
// taken out of the address, so that it stays in no history. Without a script it is pasted from the mail.

/** Fills the field for the token from the address, where both are there. */
export function startMailed(root) {
  const field = root.querySelector("[data-mailed]");
  const token = location.hash.slice(1);
  if (!field || !token) return;
  history.replaceState(null, "", location.pathname);
  if (field.getAttribute("aria-invalid")) return;
  field.value = token;
  field.closest(".field").hidden = true;
  root.querySelector("[autofocus]")?.focus();
}
