/** The line that shows the events on their way: on a terminal one line in place, elsewhere one every few seconds. */
import type { Counts } from './counts.ts';

const TERMINAL_MS = 250;
const ELSEWHERE_MS = 2_000;

export interface LiveLine {
  show(counts: Counts, gate: string, now: number): void;
  end(): void;
}

export function createLiveLine(stream: NodeJS.WriteStream, startedAt: number): LiveLine {
  const everyMs = stream.isTTY ? TERMINAL_MS : ELSEWHERE_MS;
  let shown: { at: number; produced: number; received: number } = { at: startedAt, produced: 0, received: 0 };
  return {
    show(counts, gate, now) {
      if (now - shown.at < everyMs) return;
      const next = { at: now, produced: counts.produced, received: counts.receivedTotal };
      const text = lineOf(
        counts,
        gate,
        rate(shown.produced, next.produced, now - shown.at),
        rate(shown.received, next.received, now - shown.at),
      );
      stream.write(stream.isTTY ? `\r\u001b[K${text.slice(0, stream.columns - 1)}` : `${text}\n`);
      shown = next;
    },
    end() {
      if (stream.isTTY) stream.write('\n');
    },
  };
}

export function lineOf(counts: Counts, gate: string, producedRate: number, receivedRate: number): string {
  const { produced, enqueued, completed, receivedDistinct, deadLettered } = counts;
  return [
    `produced ${produced} (${producedRate}/s)`,
    `in Kafka ${Math.max(0, produced - enqueued)}`,
    `gate ${gate}`,
    `in queue ${Math.max(0, enqueued - completed)}`,
    `done ${completed}`,
    `received ${receivedDistinct} (${receivedRate}/s)`,
    ...(deadLettered > 0 ? [`dead ${deadLettered}`] : []),
  ].join(' · ');
}

/** Until its first reading a bridge has told of no gate. */
export function gateInWords(gate: { readonly isOpen: boolean; readonly cause: string } | undefined): string {
  if (gate === undefined) return 'starting';
  return gate.isOpen ? 'open' : `closed (${gate.cause})`;
}

function rate(before: number, after: number, ms: number): number {
  return Math.round(((after - before) / Math.max(1, ms)) * 1_000);
}
