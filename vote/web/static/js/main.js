// Starts what the page has: each module looks for its own marks in the document and does nothing where there are none.

import { startCopying } from "./copy.js";
import { startDesk } from "./dashboard.js";
import { startLive } from "./live.js";
import { startMailed } from "./mailed.js";
import { startPage } from "./page.js";
import { startPasswords } from "./password.js";
import { startReceipts } from "./receipts.js";
import { startTimes } from "./times.js";
import { startVoting } from "./vote.js";

const parts = [
  startTimes,
  startCopying,
  startVoting,
  startLive,
  startReceipts,
  startMailed,
  startPasswords,
  startDesk,
  startPage,
];

for (const start of parts) {
  try {
    start(document);
  } catch (error) {
    console.error(error); // the page works without this part, and the other parts work too
  }
}
