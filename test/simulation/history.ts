/** What has happened in a world, a line each, until the first violation: its last lines are what a person reads. */
import type { Log } from '../../src/log.ts';

const LINES_SHOWN = 80;
/** What the bridge says when its last look has prevented what its rules should have. */
const HOLE = 'a cut would have left a hole; it was not sent';

interface Line {
  readonly at: number;
  readonly text: string;
  /** Absent: it concerns all of them. */
  readonly partition: number | undefined;
}

export class History {
  readonly #lines: Line[] = [];
  readonly #began = Date.now();
  #violation: Line | undefined;

  get isViolated(): boolean {
    return this.#violation !== undefined;
  }

  /** Every line, for the comparison of two histories. */
  get text(): string {
    return this.#lines.map(textOf).join('\n');
  }

  tell(text: string, partition?: number): void {
    const line = { at: Date.now() - this.#began, text, partition };
    // The step that has brought the violation about is told when it is through.
    if (this.#violation === undefined || this.#violation.at === line.at) this.#lines.push(line);
  }

  /** Only the first counts: what follows is its consequence. */
  violated(text: string, partition?: number): void {
    this.#violation ??= { at: Date.now() - this.#began, text, partition };
  }

  /** What led to the violation in its partition; undefined when there was none. */
  get trace(): string | undefined {
    if (this.#violation === undefined) return undefined;
    const { partition: of, text } = this.#violation;
    const concerned = this.#lines.filter(
      ({ partition }) => partition === undefined || of === undefined || partition === of,
    );
    return [...concerned.slice(-LINES_SHOWN).map(textOf), `  => ${text}`].join('\n');
  }

  /** What the bridge itself tells. */
  get log(): Log {
    const tell = (level: string) => (fields: object, text: string) => {
      const { partition } = fields as { partition?: number };
      this.tell(`bridge ${level}: ${text} ${briefly(fields)}`, partition);
      if (text === HOLE) this.violated(`partition ${partition}: ${text}`, partition);
    };
    return { debug: () => {}, info: tell('info'), warn: tell('warn'), error: tell('error'), child: () => this.log };
  }
}

function textOf({ at, text }: Line): string {
  return `${(at / 1_000).toFixed(3).padStart(9)}  ${text}`;
}

function briefly(fields: object): string {
  return JSON.stringify(fields, (_, value) => (value instanceof Error ? value.message : value));
}
