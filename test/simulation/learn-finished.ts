/** Learns which jobs are finished by one plain question where the bridge has four ways; what it may conclude is the same. */
import type { LedgerCalls, Target } from '../../src/bridge/ledger-calls.ts';
import { concluded } from '../../src/bridge/rules.ts';
import { systemClock } from '../../src/clock.ts';

const EVERY_MS = 400;

export async function learnFinished(calls: LedgerCalls): Promise<never> {
  for (;;) {
    await systemClock.sleep(EVERY_MS);
    for (const target of calls.targets()) await ask(calls, target);
  }
}

async function ask(calls: LedgerCalls, target: Target): Promise<void> {
  const { finished } = target.of;
  const from = finished.nextMissing(0);
  const reply = await calls.ask(target, ({ sink, claim, acked }) => sink.list(claim, acked, from, 1));
  if (reply === undefined) return;
  const { start, end, except } = concluded(reply);
  finished.addExcept(start, end, except);
}
