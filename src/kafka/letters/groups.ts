/** Letters by what went wrong: their errors without what differs from case to case. */
import type { Letter } from './letter.ts';

export interface LetterGroup {
  readonly reason: string;
  readonly message: string | undefined;
  readonly error: string;
  readonly count: number;
  /** Milliseconds since the epoch. */
  readonly firstSeen: number;
  readonly lastSeen: number;
  /** Id of the newest. */
  readonly newest: string;
}

const MOST_CHARS = 300;

/** Ids, numbers, addresses and quoted values give way to signs of what they were. */
export function normalized(error: string): string {
  return error
    .slice(0, MOST_CHARS)
    .replace(/\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b/gi, '<uuid>')
    .replace(/\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:?\d\d)?/g, '<time>')
    .replace(/\b[a-z][a-z0-9+.-]*:\/\/[^\s"']+/gi, '<url>')
    .replace(/[^\s"'<>@]+@[^\s"'<>@]+\.[a-z]+/gi, '<email>')
    .replace(/"[^"]*"/g, '"..."')
    .replace(/(?<!\w)'[^']*'/g, "'...'")
    .replace(/\b(0x)?(?=[0-9a-f]*\d)[0-9a-f]{12,}\b/gi, '<hex>')
    .replace(/\d+/g, '<n>');
}

/** The most frequent first. */
export function groupLetters(letters: readonly Letter[]): LetterGroup[] {
  const groups = Map.groupBy(letters, ({ reason, message, error }) =>
    JSON.stringify([reason, message, normalized(error)]),
  );
  return [...groups.values()].map(groupOf).sort((a, b) => b.count - a.count || b.lastSeen - a.lastSeen);
}

function groupOf(letters: readonly Letter[]): LetterGroup {
  const byTime = letters.toSorted((a, b) => a.at - b.at);
  const [first, last] = [byTime[0] as Letter, byTime.at(-1) as Letter];
  return {
    reason: last.reason,
    message: last.message,
    error: normalized(last.error),
    count: letters.length,
    firstSeen: first.at,
    lastSeen: last.at,
    newest: last.id,
  };
}
