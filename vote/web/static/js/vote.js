// Casting a vote. The button says what it does; one press is one ballot on its way; and the voter is told what is known:
// stored, refused, or not confirmed. While it is not confirmed the page keeps the choice and asks again by itself, which
// is safe: the same person cannot count twice.
//
// The form works without this script. So the browser is kept from sending it only once everything is there that sending it
// from here needs, and whatever goes wrong after that, the plain form is sent.

import { startLive } from "./live.js";
import { askJson, Unanswered } from "./network.js";
import { follow, readPage } from "./receipts.js";
import { backoff, isolated, pause } from "./words.js";

const ANSWER_WITHIN_MS = 8_000; // longer than the server ever takes to say that it does not know
const TRY_AGAIN = new Set([429, 500, 502, 503, 504]);
const NOT_CONFIRMED =
  "Your vote is not confirmed yet, because the service is not answering. Keep this page open: it keeps your choice and tries again. Your vote cannot count twice.";

/** What the browser remembers while it stays open: a convenience, which may be switched off, full or forbidden. */
const memory = {
  recall(key) {
    try {
      return sessionStorage.getItem(key);
    } catch {
      return null;
    }
  },
  keep(key, value) {
    try {
      sessionStorage.setItem(key, value);
    } catch {
      // the choice is on the page still
    }
  },
  forget(key) {
    try {
      sessionStorage.removeItem(key);
    } catch {
      // there is nothing to forget
    }
  },
  forgetAll() {
    try {
      sessionStorage.clear();
    } catch {
      // nor here
    }
  },
};

class Ballot {
  constructor(form) {
    this.form = form;
    this.id = form.dataset.cast;
    this.button = form.querySelector("[data-vote-button]");
    this.isSending = false;
    this.memory = `vote:${this.id}`;
    this.recall();
    this.name();
    form.addEventListener("change", () => this.name());
    form.addEventListener("submit", (event) => this.press(event));
    form.noValidate = true; // this script says itself what is missing
  }

  get chosen() {
    return this.form.querySelector('[name="vote"]:checked');
  }

  /** Names the choice on the button, and in the links that lead through registering. */
  name() {
    const { chosen } = this;
    if (chosen) this.form.querySelector("[data-choose]").hidden = true;
    const isKnown = "voter" in this.form.dataset;
    const { again } = this.form.dataset;
    const verb = again === undefined ? "Vote for" : again === chosen?.value ? "Keep" : "Change to";
    if (chosen) {
      const words = document.createElement("span"); // one piece: the button lays out each of its children by itself
      words.append(`${isKnown ? verb : "Log in to vote for"} `, isolated(chosen.dataset.name));
      this.button.replaceChildren(words);
    } else {
      this.button.textContent = isKnown ? "Choose an option to vote" : "Choose an option to continue";
    }
    const back = `/vote/${this.id}` + (chosen ? `?choice=${chosen.value}` : "");
    document.querySelectorAll("[data-keeps-choice]").forEach((link) => {
      link.href = `/register?next=${encodeURIComponent(back)}`;
    });
  }

  /** A choice that was being sent when the page was closed or loaded again. */
  recall() {
    const key = memory.recall(this.memory);
    if (!key || !("voter" in this.form.dataset)) return;
    for (const option of this.form.querySelectorAll('[name="vote"]')) {
      if (option.value === key) option.checked = true;
    }
  }

  press(event) {
    if (this.isSending) {
      event.preventDefault();
      return;
    }
    let option, request;
    try {
      option = this.chosen;
      if (!option) {
        this.remind();
        event.preventDefault();
        return;
      }
      if (!("voter" in this.form.dataset)) return; // the server leads through log in and keeps the choice
      request = this.request(option.value);
    } catch {
      return; // the browser lacks something: it sends the form by itself
    }
    event.preventDefault();
    this.deliver(option, request);
  }

  async deliver(option, request) {
    try {
      await this.send(option, request);
    } catch {
      this.sendPlainly();
    }
  }

  /** All that `fetch` needs to send this choice. */
  request(choice) {
    if (typeof fetch !== "function") throw new TypeError("no fetch");
    const body = new URLSearchParams({ vote: choice, csrf_token: this.form.elements.csrf_token.value });
    return { method: "POST", body, headers: { Accept: "application/json" } };
  }

  /** The form as the browser sends it: safe at any time, since the same choice counts once. */
  sendPlainly() {
    if (this.isStored) location.assign(`/vote/${this.id}`);
    else this.form.submit();
  }

  remind() {
    this.form.querySelector("[data-choose]").hidden = false;
    this.form.querySelector('[name="vote"]').focus();
  }

  async send(option, request) {
    this.begin(option);
    for (let failures = 0; ; ) {
      const answer = await this.ask(request);
      if (!TRY_AGAIN.has(answer.status)) {
        this.settle(answer, option);
        return;
      }
      failures += 1;
      this.tell("[data-trouble]", NOT_CONFIRMED);
      await pause(Math.max(answer.waitMs, backoff(failures)));
    }
  }

  begin(option) {
    this.isSending = true;
    memory.keep(this.memory, option.value);
    this.form.dataset.sending = "";
    this.button.setAttribute("aria-disabled", "true");
    this.button.textContent = "Sending…";
    this.tell("[data-refused]", "");
    this.lock(true);
  }

  lock(isLocked) {
    this.form.querySelectorAll('[name="vote"]').forEach((option) => (option.disabled = isLocked && !option.checked));
  }

  /** One ballot, one answer. A network that fails or hangs is status 503: not confirmed. */
  async ask(request) {
    try {
      const { response, said } = await askJson(this.form.action, request, ANSWER_WITHIN_MS);
      if (response.ok && !said) return { status: 503, said: {}, waitMs: 0 }; // something in between answered, not the service
      const waitMs = 1000 * (Number(response.headers.get("Retry-After")) || 0);
      return { status: response.status, said: said ?? {}, waitMs };
    } catch (error) {
      if (!(error instanceof Unanswered)) throw error;
      return { status: 503, said: {}, waitMs: 0 };
    }
  }

  settle({ status, said }, option) {
    memory.forget(this.memory);
    if (status === 200 || status === 202) {
      this.isStored = true;
      showStored(this, said, option);
    } else if (status === 401) {
      const back = `/vote/${this.id}?choice=${option.value}`;
      location.assign(`/login?next=${encodeURIComponent(back)}`);
    } else {
      this.isSending = false;
      delete this.form.dataset.sending;
      this.button.removeAttribute("aria-disabled");
      this.lock(false);
      this.name();
      this.tell("[data-trouble]", "");
      this.tell("[data-refused]", said.detail ?? "Your vote was not stored. Reload the page and try again.");
    }
  }

  tell(place, text) {
    const notice = this.form.querySelector(place);
    notice.querySelector("p").textContent = text;
    notice.hidden = !text;
  }
}

/** Puts the slip in the place of the ballot. It needs nothing more from the network to say what is certain. */
function showStored(ballot, said, option) {
  const main = ballot.form.closest("main");
  const piece = main.querySelector("template[data-stored]").content.cloneNode(true);
  const slip = piece.querySelector("[data-slip]");
  slip.querySelector("[data-receipt]").textContent = said.receipt;
  slip.querySelector("[data-choice]").textContent = option.dataset.name;
  if (said.changed) slip.dataset.changing = `/vote/${ballot.id}`;
  main.querySelectorAll(":scope > :not(h1, .state, [data-watch], [data-reopened], .corrections, [data-results], template)").forEach((old) => old.remove());
  if (main.querySelector("[data-results]")) piece.querySelector("[data-results-later]").remove();
  main.querySelector("h1").after(piece);
  markChoice(main, option.value);
  document.dispatchEvent(new CustomEvent("page:changed"));
  slip.querySelector("h2").focus();
  scrollTo({ top: 0 });
  const isRecorded = said.status === "recorded" ? Promise.resolve(true) : follow(slip);
  if (said.status === "recorded") slip.querySelectorAll("[data-when]").forEach((e) => (e.hidden = e.dataset.when !== "recorded"));
  isRecorded.then(() => showRest(ballot.id, main)).catch(() => {}); // the vote is safe and told; the rest is a link away
}

/** Moves "your choice" to the option that is stored now, where results are shown already. */
function markChoice(main, key) {
  const mark = main.querySelector("[data-results] .yours");
  if (mark) main.querySelector(`[data-results] [data-label="${key}"]`).after(mark);
}

/**
 * The results, and the ballot to change a vote with, as the server shows them to someone who has voted. Without an answer
 * the page stays as it is.
 */
async function showRest(id, main) {
  const page = await readPage(`/vote/${id}`);
  if (!page) return; // the vote is safe and told; the results are a link away
  const pieces = [put(main, "[data-change]", page), put(main, "[data-results-later]", page, "[data-results]")];
  document.dispatchEvent(new CustomEvent("page:changed"));
  pieces.filter(Boolean).forEach((piece) => {
    startVoting(piece);
    startLive(piece);
  });
}

/** Puts a piece of another page in a place of this one, where both are there. */
function put(main, place, page, name = place) {
  const [old, piece] = [main.querySelector(place), page.querySelector(name)];
  if (!old || !piece) return null;
  old.replaceWith(piece);
  return piece;
}

/** Starts every ballot paper under `root`. Who logs out leaves no choice behind, whether or not the service answers. */
export function startVoting(root) {
  const leaving = root.querySelector('form[action="/logout"]');
  leaving?.addEventListener("submit", () => memory.forgetAll());
  root.querySelectorAll("[data-cast]").forEach((form) => new Ballot(form));
}
