/** The demo's options, checked. */
import { parseArgs } from 'node:util';

export interface DemoOptions {
  /** Undefined: until Ctrl-C. */
  readonly messages: number | undefined;
  /** Events a second; 0: as fast as it goes. */
  readonly rate: number;
  readonly exit: boolean;
  readonly seed: number;
  readonly input: string | undefined;
  readonly dump: string | undefined;
  readonly json: boolean;
  readonly help: boolean;
}

export const USAGE = `usage: npm run demo -- [--messages N] [--rate R] [--exit] [--seed S] [--input FILE] [--dump FILE] [--json]

  --messages N   produce N page views (default: 10000 with --exit, without end otherwise)
  --rate R       R a second (default: 500 without end, as fast as it goes with --messages)
  --exit         end when all have arrived; exit code 0 only if every count agrees
  --seed S       another seed, other events (default: 1)
  --input FILE   page views from an access log in the combined format
  --dump FILE    write what the receiver got as lines of JSON
  --json         the last line on stdout is one JSON object with all counts
`;

const DEFAULT_MESSAGES = 10_000;
const DEFAULT_RATE = 500;

/** Throws an Error that names the option. */
export function readOptions(args: readonly string[]): DemoOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      messages: { type: 'string' },
      rate: { type: 'string' },
      exit: { type: 'boolean', default: false },
      seed: { type: 'string', default: '1' },
      input: { type: 'string' },
      dump: { type: 'string' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  const given = whole('--messages', values.messages);
  const isEndless = given === undefined && !values.exit && values.input === undefined;
  return {
    messages: given ?? (isEndless || values.input !== undefined ? undefined : DEFAULT_MESSAGES),
    rate: whole('--rate', values.rate) ?? (isEndless ? DEFAULT_RATE : 0),
    exit: values.exit,
    seed: whole('--seed', values.seed) ?? 1,
    input: values.input,
    dump: values.dump,
    json: values.json,
    help: values.help,
  };
}

function whole(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (!/^\d{1,15}$/.test(text)) throw new Error(`${name}: "${text}" is not allowed; allowed: a whole number`);
  return Number(text);
}
