/**
 * The quick way of a Sidekiq job from its record to a queue. Most jobs keep what they say: such a one is judged where it
 * stands, and its bytes are passed on, of which neither texts nor objects are made. Whatever is out of the ordinary, a rule
 * that is broken included, is left to sidekiq-job.ts, which knows all of it: what is kept here reads the same there.
 * Pure, but for what was last seen.
 */
import { isUtf8 } from 'node:buffer';
import { isAt, isDigit, Scanner } from './json-scanner.ts';
import { hasRule, isAllowed, NEEDED } from './sidekiq-fields.ts';
import { DEEPEST, type Dialect, keepsValue, NEVER_ABSENT } from './sidekiq-job.ts';

const [QUOTE, BACKSLASH, OPEN_LIST] = [0x22, 0x5c, 0x5b];
const WHOLE = [...NEEDED, ...NEVER_ABSENT];
const LONGEST_KNOWN = 64;
const MOST_JUDGES = 200;
const MOST_MEMBERS = 100;
/** A value that only a field without a rule and without a meaning may have, and keep. */
const ANYTHING = '{}';

/** Whether the value that stands there is allowed, and stays as it is written. */
type Judge = (bytes: Buffer, start: number, end: number) => boolean;

/** A job that keeps what it says. */
export interface Kept {
  readonly queue: string;
  /** What stands between its braces, in its bytes. */
  readonly start: number;
  readonly end: number;
}

/** Stands for the job that was judged last. */
export class KeptJobs implements Kept {
  queue = '';
  readonly #scanner = new Scanner();
  readonly #dialect: Dialect;
  readonly #judges = new Map<string, Judge>();
  /** The names of the job before, their judges, and whether none comes twice and none is missing. */
  #names: readonly string[] = [];
  #judged: readonly Judge[] = [];
  #isWhole = false;

  constructor(dialect: Dialect) {
    this.#dialect = dialect;
  }

  get start(): number {
    return this.#scanner.start;
  }

  get end(): number {
    return this.#scanner.end;
  }

  /** Whether the bytes are a job that keeps all that it says. */
  keeps(bytes: Buffer): boolean {
    const scanner = this.#scanner;
    if (!isUtf8(bytes) || !scanner.scan(bytes) || scanner.isSuspect || scanner.depth > DEEPEST) return false;
    if (scanner.count > MOST_MEMBERS) return false;
    if (!this.#hasKnownNames()) this.#learnNames();
    if (!this.#isWhole) return false;
    const { count, starts, ends } = scanner;
    for (let i = 0; i < count; i++) {
      const judge = this.#judged[i] as Judge;
      if (!judge(bytes, starts[i] as number, ends[i] as number)) return false;
    }
    return true;
  }

  #hasKnownNames(): boolean {
    const { count, names } = this.#scanner;
    if (count !== this.#names.length) return false;
    for (let i = 0; i < count; i++) if (names[i] !== this.#names[i]) return false;
    return true;
  }

  #learnNames(): void {
    const { count, names } = this.#scanner;
    this.#names = names.slice(0, count);
    this.#judged = this.#names.map((name) => this.#judgeOf(name));
    const different = new Set(this.#names);
    this.#isWhole = different.size === count && WHOLE.every((name) => different.has(name));
  }

  #judgeOf(name: string): Judge {
    const known = this.#judges.get(name);
    if (known !== undefined) return known;
    const judge = this.#createJudge(name);
    if (this.#judges.size < MOST_JUDGES) this.#judges.set(name, judge);
    return judge;
  }

  #createJudge(name: string): Judge {
    const keeps = (text: string) => isAllowed(name, text) && keepsValue(name, text, this.#dialect);
    if (name === 'jid') return isPlainText;
    if (name === 'args') return (bytes, start) => bytes[start] === OPEN_LIST;
    // Times differ, and how they are written does not: more is not asked of them.
    if (name === 'created_at') return remembering(keeps, isWrittenAs);
    if (name === 'queue') return this.#queueJudge(keeps);
    return hasRule(name) || !keeps(ANYTHING) ? remembering(keeps) : () => true;
  }

  #queueJudge(keeps: (text: string) => boolean): Judge {
    let queue = '';
    const judge = remembering((text) => {
      queue = text.slice(1, -1);
      return keeps(text);
    });
    return (bytes, start, end) => {
      if (!judge(bytes, start, end)) return false;
      this.queue = queue;
      return true;
    };
  }
}

/** Jobs mostly say the same as the one before. */
function remembering(isKeptText: (text: string) => boolean, isSame = isAt): Judge {
  let known: Buffer = Buffer.alloc(0);
  return (bytes, start, end) => {
    if (end - start === known.length && isSame(bytes, start, known)) return true;
    const text = bytes.toString('utf8', start, end);
    const isKeptHere = isKeptText(text);
    // What is told of a text that was refused is not told of the one before it.
    known = isKeptHere && end - start <= LONGEST_KNOWN ? Buffer.from(text) : Buffer.alloc(0);
    return isKeptHere;
  };
}

/** Whether there is a number of as many digits, with the same signs between them. */
function isWrittenAs(bytes: Buffer, at: number, known: Buffer): boolean {
  for (let i = 0; i < known.length; i++) {
    const [sign, expected] = [bytes[at + i], known[i]];
    if (sign !== expected && !(isDigit(sign) && isDigit(expected))) return false;
  }
  return true;
}

/** A text that is not empty, without escapes. */
function isPlainText(bytes: Buffer, start: number, end: number): boolean {
  if (bytes[start] !== QUOTE || end - start <= 2) return false;
  for (let at = start + 1; at < end - 1; at++) if (bytes[at] === BACKSLASH) return false;
  return true;
}
