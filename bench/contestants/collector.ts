/** The collector: checks and counts every event, and tells its parent where it is and how many it has accepted. */
import { startReceiver } from '../../src/faults/receiver.ts';

const TELL_MS = 100;
/** Minutes of events: half an hour of them are more than a process can hold. */
const REMEMBERED = 1_000_000;

const receiver = await startReceiver({ remembers: REMEMBERED });
setInterval(() => {
  process.send?.({
    url: receiver.url,
    accepted: receiver.distinct,
    refused: receiver.refused,
    why: receiver.lastRefusal,
  });
}, TELL_MS);
