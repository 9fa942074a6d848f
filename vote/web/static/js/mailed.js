// The token of a link in a mail stands after the # of the address, which no browser sends. It is written into the form, and
// taken out of the address, so that it stays in no history. Without a script it is pasted from the mail.

/** Takes the token out of the address. Where the browser refuses, it stays there, and works. */
function forgetAddress() {
  try {
    history.replaceState(null, "", location.pathname);
  } catch {
    // a page within another one may not
  }
}

/** Fills the field for the token from the address, where both are there; one that is filled needs no look. */
export function startMailed(root) {
  const field = root.querySelector("[data-mailed]");
  if (!field) return;
  const token = location.hash.slice(1);
  if (token) forgetAddress();
  if (field.getAttribute("aria-invalid")) return;
  if (token) field.value = token;
  if (!field.value) return;
  const hadFocus = field === document.activeElement || field.autofocus;
  field.closest(".field").hidden = true;
  if (hadFocus) field.form.querySelector("input[type=password], button").focus();
}
