/** The collector: checks and counts every event, and tells its parent where it is and how many it has accepted. */
import { startReceiver } from '../../src/faults/receiver.ts';

const TELL_MS = 100;
/** A quarter of a minute at the least: half an hour of events are more than a process can hold. */
const REMEMBERED = 300_000;

const receiver = await startReceiver({ remembers: REMEMBERED });
setInterval(() => {
  process.send?.({
    url: receiver.url,
    accepted: receiver.distinct,
    refused: receiver.refused,
    why: receiver.lastRefusal,
  });
}, TELL_MS);
