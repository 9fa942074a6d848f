// The copy button beside a receipt. It is there only where the browser lets a page copy.

const SAID_MS = 2_500;

async function copy(button) {
  const word = button.querySelector("[data-copy-word]");
  const text = button.parentElement.querySelector("[data-receipt]").textContent.trim();
  try {
    await navigator.clipboard.writeText(text);
    word.textContent = "Copied";
  } catch {
    word.textContent = "Select it to copy";
  }
  setTimeout(() => (word.textContent = "Copy"), SAID_MS);
}

/** Lets the copy buttons under `root` work, those that come later too. */
export function startCopying(root) {
  if (!navigator.clipboard) return;
  const show = () => root.querySelectorAll("[data-copy]").forEach((button) => (button.hidden = false));
  root.addEventListener("click", (event) => {
    const button = event.target.closest?.("[data-copy]");
    if (button) copy(button);
  });
  document.addEventListener("page:changed", show);
  show();
}
