/** The flags of `sluice dlq`. Each command is loaded when it is called. */
import type { Command } from 'commander';
import { REASONS } from '../../job/letter.ts';
import type { CommandKit } from '../command-kit.ts';

export function addLetterCommands({ program, command, action, wholeNumber }: CommandKit): void {
  const dlq = program.command('dlq').description('dead letters: records that did not become jobs, and jobs that died');

  function letterCommand(name: string, description: string): Command {
    return command(name, description, dlq)
      .option('--topic <topic>', 'letters of this topic (default: of every topic that is consumed)')
      .option('--reason <reason>', `why: ${REASONS.join(', ')}, or unknown`)
      .option('--message <type>', 'letters of jobs of this message type')
      .option('--since <time>', 'not older: 2h, 7d, or 2026-01-31T08:00:00Z')
      .option('--until <time>', 'not newer')
      .option('--search <text>', 'in errors, keys, ids, headers and the bytes of records')
      .option('--json', 'as JSON');
  }

  letterCommand('ls', 'the newest letters')
    .option('--group', 'how many of each error, and since when')
    .option('--all', 'also those that were replayed or purged')
    .option('--limit <n>', 'how many are shown (default: 50)', wholeNumber)
    .option('--window <n>', 'how many of the newest records are searched (default: 10000)', wholeNumber)
    .action(action(async (flags) => (await import('./ls.ts')).ls(flags)));

  command('show <id>', 'one letter, by its id or by topic/partition/offset of its record', dlq)
    .option('--json', 'as one JSON object')
    .action(action(async (id, flags) => (await import('./show.ts')).show(id, flags)));

  letterCommand('replay [ids...]', 'produce the records of letters again; each letter once')
    .option('--to <topic>', 'to this topic (default: where each came from)')
    .option('--rate <n>', 'records a second (default: 100)', wholeNumber)
    .option('--force', 'also what was replayed three times and died again')
    .option('--dry-run', 'only count, and show a few')
    .option('--yes', 'do not ask')
    .action(action(async (ids, flags) => (await import('./replay.ts')).replay(ids, flags)));

  letterCommand('purge [ids...]', 'take letters away for good')
    .option('--dry-run', 'only count, and show a few')
    .option('--yes', 'do not ask')
    .action(action(async (ids, flags) => (await import('./purge.ts')).purge(ids, flags)));
}
