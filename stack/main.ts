/** `npm run stack -- up|down|status|env [--dir FOLDER] [--install]`; `--help` says so. */
import { parseArgs } from 'node:util';
import { maskUrl } from '../src/redis/address.ts';
import { down, isNamed, type StackOptions, status, unsetting, up } from './stack.ts';

const USAGE = `usage: npm run stack -- up|down|status|env [--dir FOLDER] [--install]

  up       start a Kafka and a Redis, or find those that run; print their addresses for a shell's eval
  env      print the addresses of those that answer
  status   say as JSON which of them answer
  down     end what was started, and remove its data

  --dir FOLDER   where they are kept (default: SLUICE_STACK_DIR, or .stack)
  --install      install what is missing, by apt or brew
`;

const COMMANDS: Readonly<Record<string, (options: StackOptions) => Promise<number>>> = {
  async up(options) {
    print(await up(options));
    return 0;
  },
  async down(options) {
    await down(options);
    return 0;
  },
  async status(options) {
    const { kafka, redis } = await status(options);
    const shown = { kafka, redis: { ...redis, ...(redis.address && { address: maskUrl(redis.address) }) } };
    process.stdout.write(`${JSON.stringify(shown)}\n`);
    return kafka.answers && redis.answers ? 0 : 5;
  },
  /** What does not answer is not printed: a shell would go on believing it. */
  async env(options) {
    const now = await status(options);
    const { kafka, redis } = now;
    print({
      ...(kafka.answers && { KAFKA_BROKERS: kafka.address }),
      ...(redis.answers && { REDIS_URL: redis.address }),
    });
    const silent = silentOnes(now);
    if (silent.length > 0) process.stderr.write(`stack: ${silent.join('; ')}; see \`npm run stack -- up\`\n`);
    return silent.length > 0 ? 5 : 0;
  },
};

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      dir: { type: 'string' },
      install: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h' },
    },
  });
  if (values.help) {
    process.stdout.write(USAGE);
    return 0;
  }
  const [name = '', ...rest] = positionals;
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (command === undefined || rest.length > 0) return usage();
  return command({ install: values.install, ...(values.dir !== undefined && { dir: values.dir }) });
}

function silentOnes({ kafka, redis }: Awaited<ReturnType<typeof status>>): string[] {
  const all = [
    ['Kafka', kafka, 'KAFKA_BROKERS'],
    ['Redis', { ...redis, address: redis.address && maskUrl(redis.address) }, 'REDIS_URL'],
  ] as const;
  return all.flatMap(([name, { answers, address }, variable]) => {
    if (answers) return [];
    if (address === undefined) return [`${name} is not up`];
    return [`${name} at ${address} does not answer${isNamed(variable) ? `; ${unsetting(variable)}` : ''}`];
  });
}

function usage(reason = ''): number {
  process.stderr.write(`${reason}${USAGE}`);
  return 2;
}

/** For a shell's `eval`: addresses given by the environment may hold anything. */
function print(addresses: object): void {
  for (const [name, value] of Object.entries(addresses))
    process.stdout.write(`export ${name}=${quoted(String(value))}\n`);
}

function quoted(value: string): string {
  return /^[\w.:/,@-]+$/.test(value) ? value : `'${value.replaceAll("'", "'\\''")}'`;
}

function failed(error: unknown): number {
  const { message, code } = error as NodeJS.ErrnoException;
  if (code?.startsWith('ERR_PARSE_ARGS')) return usage(`stack: ${message}\n`);
  process.stderr.write(`stack: ${message}\n`);
  return 1;
}

// Ends at once: a Kafka client that asked a broker still starting goes on trying for up to a minute.
process.exit(await main().catch(failed));
