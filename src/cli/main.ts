/**
 * The command line: argv to a command, errors to exit codes. Commands are loaded when they are called, so that
 * `--help` is quick. Data goes to stdout, everything else to stderr.
 */
import { readFileSync } from 'node:fs';
import { Command, CommanderError, InvalidArgumentError } from 'commander';
import { isSluiceError, messageOf } from '../errors.ts';
import type { CommonFlags } from './context.ts';
import { addLetterCommands } from './dlq/commands.ts';
import { EXIT, exitCodeOf } from './exit.ts';
import { addOffsetCommands } from './offsets/commands.ts';
import type { Role } from './roles.ts';

const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
  version: string;
};

let exitCode: number = EXIT.ok;

const program = new Command('sluice')
  .description('Kafka to BullMQ and Sidekiq, each job once, without ever drowning Redis.')
  .version(version)
  .exitOverride()
  .showSuggestionAfterError()
  .configureHelp({ showGlobalOptions: true });

function command(name: string, description: string, parent = program): Command {
  return parent
    .command(name)
    .description(description)
    .option('-c, --config <file>', 'configuration file (default: sluice.config.ts)')
    .option('--workers <folder>', 'folder of the worker files')
    .option('--proto <folder>', 'folder of .proto files; may be repeated', collect)
    .option('--log-level <level>', 'debug, info, warn, error or silent');
}

function collect(value: string, earlier: string[] = []): string[] {
  return [...earlier, value];
}

function wholeNumber(text: string): number {
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError('a whole number is allowed');
  return Number(text);
}

function positiveNumber(text: string): number {
  if (!/^\d+(\.\d+)?$/.test(text) || Number(text) === 0) throw new InvalidArgumentError('a number above 0 is allowed');
  return Number(text);
}

/** A command's action answers its exit code. */
function action<A extends unknown[]>(run: (...args: A) => Promise<number>): (...args: A) => Promise<void> {
  return async (...args) => {
    exitCode = await run(...args);
  };
}

/** The configuration says which numbers are allowed. */
const PROCESSES = ['--processes <n>', 'processes that run the workers (default: work.processes)', wholeNumber] as const;

command('up', 'run everything: bridge, workers, dashboard; each in a process of its own, started again when it ends')
  .option('--single-process', 'all roles in this process, for debugging')
  .option(...PROCESSES)
  .action(action(async (flags: CommonFlags & { singleProcess?: boolean }) => (await import('./up.ts')).up(flags)));

const ROLE_COMMANDS: readonly [Role, string][] = [
  ['bridge', 'take records from Kafka and enqueue them as jobs'],
  ['work', 'run the workers on their queues'],
  ['dashboard', 'serve the dashboard'],
];
for (const [role, description] of ROLE_COMMANDS) {
  const roleCommand = command(role, description);
  if (role === 'work') roleCommand.option(...PROCESSES);
  roleCommand.action(action(async (flags: CommonFlags) => (await import('./up.ts')).runRole(role, flags)));
}

command('check', 'look at the configuration, the schemas and the workers, and start nothing')
  .option('--json', 'as one JSON object')
  .option('--quiet', 'say only what is wrong')
  .action(action(async (flags) => (await import('./check.ts')).check(flags)));

command(
  'produce [type]',
  'produce messages of a type, one a line of JSON; without a type, every line is {"type", "message", "key", ...}',
)
  .option('--json <text>', 'one message as proto3 JSON')
  .option('--file <file>', 'a file of lines (default: stdin)')
  .option('--sidekiq', 'every line is a Sidekiq job: {"class", "args", "queue", "at", ...}')
  .option('--via <way>', 'kafka or redis (default: SLUICE_VIA, or kafka)')
  .option('--topic <topic>', 'topic to produce to (default: the one that is consumed, of envelopes or of Sidekiq jobs)')
  .option('--key <key>', 'key of the events')
  .option('--queue <queue>', 'queue of the jobs')
  .option('--delay <ms>', 'run the jobs so much later', wholeNumber)
  .option('--attempts <n>', 'attempts until a job is dead', wholeNumber)
  .option('--priority <n>', '1, the most urgent, to 2097151', wholeNumber)
  .action(action(async (type, flags) => (await import('./produce.ts')).produce(type, flags)));

command('decode [type]', 'print the jobs that messages or records become, one a line; nothing is enqueued')
  .option('--topic <topic>', 'by the configuration of this topic (default: the only one)')
  .option('--as <target>', 'sidekiq or bullmq; fails when the topic has another target')
  .option('--json <text>', 'one message as proto3 JSON, or a Sidekiq job')
  .option('--file <file>', 'a file of such lines (default: stdin)')
  .option('--raw', "the file, or stdin, is one record's bytes")
  .option('--base64', "every line is a record's bytes in base64")
  .option('--partition <n>', 'look at a record that lies in Kafka', wholeNumber)
  .option('--offset <n>', 'its offset', wholeNumber)
  .option('--key <key>', 'key of the records')
  .option('--time <time>', 'when they are produced and enqueued, such as 2026-01-31T08:00:00Z (default: now)')
  .action(action(async (type, flags) => (await import('./decode/decode.ts')).decode(type, flags)));

command('status', 'how things stand: lag, gates, queues, who is alive')
  .option('--json', 'as one JSON object')
  .option('--watch', 'again every two seconds')
  .action(action(async (flags) => (await import('./status/status.ts')).status(flags)));

command('types', 'write the TypeScript types of all messages')
  .option('--check', 'write nothing; fail when the file is not up to date')
  .option('--json', 'as one JSON object')
  .option('--out <file>', 'file to write', 'sluice-types.d.ts')
  .action(action(async (flags) => (await import('./types.ts')).types(flags)));

command('faults', 'let faults happen to a flow on servers that you name, and check that nothing is lost')
  .option('--brokers <list>', 'Kafka to do it on, host:port by comma')
  .option('--redis <url>', 'Redis to do it on')
  .option('--prefix <name>', 'begins the names of the topics, groups and keys that are made for it')
  .option('--seed <n>', 'which faults, in which order', wholeNumber, 1)
  .option('--minutes <n>', 'how long', positiveNumber, 10)
  .option('--rate <n>', 'records a second', wholeNumber, 200)
  .option('--only <kind>', 'this kind of fault; may be repeated', collect)
  .option('--allow-flushall', 'Redis may be emptied: every database of it, whoever uses it')
  .option('--dir <folder>', 'folder for the history and the logs (default: a temporary one)')
  .option('--check <file>', 'check the history of an earlier run, and start nothing')
  .option('--list', 'name every kind of fault')
  .option('--json', 'end with one JSON object')
  .action(action(async (flags) => (await import('./faults.ts')).faults(flags)));

const create = program.command('new').description('write the files of something new');
create
  .command('worker <name>')
  .description('a .proto, a worker and its test, such as: sluice new worker SendWelcome')
  .option('--message <type>', 'full name of the message type')
  .option('--json', 'as one JSON object')
  .option('--workers <folder>', 'folder of the worker files', 'workers')
  .option('--proto <folder>', 'folder of the .proto files', 'proto')
  .action(action(async (name, flags) => (await import('./new-worker.ts')).newWorkerCommand(name, flags)));

addLetterCommands({ program, command, action, wholeNumber });
addOffsetCommands({ program, command, action, wholeNumber });

const config = program.command('config').description('the configuration');
command('show', 'print the configuration as it is in force, secrets masked', config)
  .option('--sources', 'say where each value is from')
  .option('--json', 'as one JSON object')
  .action(action(async (flags) => (await import('./config/show.ts')).showConfig(flags)));

// A reader that has seen enough, such as `head`, closes the pipe.
process.stdout.on('error', (error: NodeJS.ErrnoException) =>
  process.exit(error.code === 'EPIPE' ? EXIT.ok : EXIT.failed),
);

try {
  await program.parseAsync();
} catch (error) {
  exitCode = failed(error);
}
process.exit(exitCode);

function failed(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  const text = isSluiceError(error)
    ? messageOf(error)
    : error instanceof Error
      ? (error.stack ?? error.message)
      : String(error);
  process.stderr.write(`sluice: ${text}\n`);
  return exitCodeOf(error);
}
