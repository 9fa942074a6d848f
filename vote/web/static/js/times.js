// Moments in the reader's own zone and words, with how long from now. The server wrote them in UTC.

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const LOOK_AGAIN_MS = 5_000;

let timeOfDay; // made when it is needed: without Intl the pages still have all their other scripts

const midnight = (at) => new Date(at.getFullYear(), at.getMonth(), at.getDate()).getTime();

/** "today", "tomorrow", "Friday", "30 November" or "30 November 2027". */
function day(at, now) {
  const days = Math.round((midnight(at) - midnight(now)) / DAY);
  if (Math.abs(days) <= 1) return ["yesterday", "today", "tomorrow"][days + 1];
  if (days > 1 && days < 7) return new Intl.DateTimeFormat("en", { weekday: "long" }).format(at);
  const year = at.getFullYear() === now.getFullYear() ? "" : ` ${at.getFullYear()}`;
  return `${at.getDate()} ${new Intl.DateTimeFormat("en", { month: "long" }).format(at)}${year}`;
}

/** "in 3 h 12 min", "in 2 days", "4 min ago"; empty further away than a month. */
function distance(at, now) {
  const span = Math.abs(at - now);
  if (span > 30 * DAY) return "";
  const minutes = Math.floor((span / MINUTE) % 60);
  const hours = Math.floor(span / HOUR);
  const text =
    span < MINUTE
      ? "less than a minute"
      : span < HOUR
        ? `${minutes} min`
        : span < DAY
          ? `${hours} h` + (minutes ? ` ${minutes} min` : "")
          : `${Math.floor(span / DAY)} day${span >= 2 * DAY ? "s" : ""}`;
  return at > now ? `in ${text}` : `${text} ago`;
}

function write(element, now) {
  timeOfDay ??= new Intl.DateTimeFormat("en", { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
  const at = new Date(element.dateTime);
  const near = "near" in element.dataset ? distance(at, now) : "";
  const text = `${day(at, now)}, ${timeOfDay.format(at)}` + (near && ` (${near})`);
  if (element.textContent !== text) element.textContent = text;
  element.title = new Intl.DateTimeFormat("en", { dateStyle: "full", timeStyle: "long" }).format(at);
}

/** The time of day with seconds. */
export const clock = (at) => at.toLocaleTimeString("en", { hourCycle: "h23" });

/**
 * Rewrites every moment under `root`, shows what waits for its time and hides what held until then; and again while the page
 * stays open.
 */
export function startTimes(root) {
  const writeAll = () => {
    const now = new Date();
    root.querySelectorAll("[data-moment]").forEach((element) => write(element, now));
    root.querySelectorAll("[data-at]").forEach((element) => (element.hidden = new Date(element.dataset.at) > now));
    root.querySelectorAll("[data-until]").forEach((element) => (element.hidden = new Date(element.dataset.until) <= now));
  };
  writeAll();
  setInterval(writeAll, LOOK_AGAIN_MS);
  document.addEventListener("page:changed", writeAll);
}
