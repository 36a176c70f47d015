/** Reads a partition's ledger without claiming it, for commands. Rejects UNREACHABLE or REDIS_REFUSES. */
import { askRedis, type Redis } from './connection.ts';
import { type LedgerName, ledgerKey } from './keys.ts';
import { lua, runScript, script } from './script.ts';

const PEEK = script(lua('ledger'), lua('peek'));

/** What a partition's ledger holds. */
export interface LedgerView {
  readonly isCorrupt: boolean;
  /** Last offset that was dealt with; -1: none ever. */
  readonly enqueued: number;
  readonly generation: number;
  /** Jobs that are not finished. */
  readonly unsettled: number;
  /** -1: none. */
  readonly lowestUnsettled: number;
}

/** `name`: the configured one of the Redis. */
export async function peekLedger(redis: Redis, name: string, ledger: LedgerName): Promise<LedgerView> {
  const reply = await askRedis(name, () => runScript(redis, PEEK, [ledgerKey(ledger)], []));
  const [status, enqueued, generation, unsettled, lowestUnsettled] = reply as [string, number, number, number, number];
  return { isCorrupt: status !== 'ok', enqueued, generation, unsettled, lowestUnsettled };
}
