// Receipts: follows one from accepted to recorded, and answers the form of the page where anyone may check one.

import { askJson, Unanswered } from "./network.js";
import { backoff, pause, say } from "./words.js";

const ANSWER_MS = 8_000;

const GIVE_UP_AFTER = 60; // questions; a worker that is away so long is an operator's matter, the vote is safe meanwhile

const SHAPE = /^(?:[A-Z0-9]{4}-){3}[A-Z0-9]{4}$/; // the server says the same: vote/web/api/receipts.py

/** "accepted", "recorded", "missing", or "unknown" when nobody answers. */
async function ask(code) {
  const how = { headers: { Accept: "application/json" } };
  try {
    const { response, said } = await askJson(`/api/receipts/${encodeURIComponent(code)}`, how, ANSWER_MS);
    if (response.status === 404) return "missing";
    return response.ok && said ? said.status : "unknown";
  } catch (error) {
    if (!(error instanceof Unanswered)) throw error;
    return "unknown";
  }
}

/** A page as the server shows it to this visitor now; null without a good answer. */
export async function readPage(path) {
  try {
    const response = await fetch(path, { headers: { Accept: "text/html" } });
    return response.ok ? new DOMParser().parseFromString(await response.text(), "text/html") : null;
  } catch {
    return null;
  }
}

/** The same of a vote that is being changed: its receipt was recorded before, so only its voter's own page knows. */
async function askPage(path) {
  const page = await readPage(path);
  return page?.querySelector("[data-slip]")?.dataset.slip ?? "unknown";
}

/** Asks until the vote is recorded and says so in its slip. Resolves when it is. */
export async function follow(slip) {
  const code = slip.querySelector("[data-receipt]").textContent.trim();
  const { changing } = slip.dataset;
  for (let asked = 1; asked <= GIVE_UP_AFTER; asked += 1) {
    await pause(asked === 1 ? 400 : backoff(asked - 1, { first: 700, most: 5_000 }));
    if ((await (changing ? askPage(changing) : ask(code))) === "recorded") {
      slip.dataset.slip = "recorded";
      say(slip, "recorded");
      return true;
    }
  }
  return false;
}

function startForm(form) {
  const tell = (word, code) => {
    for (const answer of document.querySelectorAll("[data-told]")) {
      answer.hidden = answer.dataset.told !== word;
      answer.querySelectorAll("[data-code]").forEach((place) => (place.textContent = code));
    }
  };
  const check = async () => {
    const plain = form.elements.code.value.replace(/[\s-]/g, "").toUpperCase();
    const code = (plain.match(/.{1,4}/g) ?? []).join("-");
    if (!code) {
      form.elements.code.focus();
      return;
    }
    form.elements.code.value = code;
    tell(SHAPE.test(code) ? await ask(code) : "misshapen", code);
  };
  form.addEventListener("submit", (event) => {
    if (typeof fetch !== "function") return; // the server answers the form as well
    event.preventDefault();
    check().catch(() => form.submit());
  });
}

/** Starts the form and follows a slip that is accepted only. */
export function startReceipts(root) {
  root.querySelectorAll("[data-receipts]").forEach(startForm);
  root.querySelectorAll('[data-slip="accepted"]').forEach((slip) => follow(slip).catch(() => {}));
}
