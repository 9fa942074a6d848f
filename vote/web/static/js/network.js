// Asks the server, with a limit of time that also browsers without `AbortSignal.timeout` keep.

/** Nobody answered in time. Any other error is a fault of the script, or a lack of the browser. */
export class Unanswered extends Error {}

const unanswered = () => {
  throw new Unanswered();
};

/** The answer, and what `read` makes of its body. Fails with Unanswered, after `ms` at the latest. */
export async function askWithin(path, how, ms, read) {
  const stop = typeof AbortController === "function" ? new AbortController() : null;
  let timer;
  const late = new Promise((_, fail) => {
    timer = setTimeout(() => {
      stop?.abort();
      fail(new Unanswered());
    }, ms);
  });
  try {
    const asked = fetch(path, stop ? { ...how, signal: stop.signal } : how).catch(unanswered);
    const response = await Promise.race([asked, late]);
    const said = await Promise.race([read(response), late]);
    return { response, said };
  } finally {
    clearTimeout(timer);
  }
}

/** The same with its JSON; null where that cannot be read. */
export const askJson = (path, how, ms) => askWithin(path, how, ms, (response) => response.json().catch(() => null));
