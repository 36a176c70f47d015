/** The flags of `sluice offsets`. Each command is loaded when it is called. */
import type { CommandKit } from '../command-kit.ts';

export function addOffsetCommands({ program, command, action, wholeNumber }: CommandKit): void {
  command('replay', 'enqueue again what was enqueued of late, of Sidekiq topics that are settled when enqueued')
    .option('--topic <topic>', 'this topic (default: all such topics)')
    .option('--since <time>', "from there on: 15m ago, or 2026-01-31T08:00:00Z (default: the topic's lookBackMs)")
    .option('--dry-run', 'only say what would happen')
    .option('--yes', 'do not ask')
    .option('--json', 'one JSON object a partition')
    .action(action(async (flags) => (await import('./replay.ts')).replay(flags)));
  const offsets = program.command('offsets').description("a consumer group's place in its topics, and in Redis");
  command('show', 'log, commit and ledger of each partition, and where they contradict each other', offsets)
    .option('--topic <topic>', 'of this topic (default: all that are consumed)')
    .option('--json', 'one JSON object a partition')
    .action(action(async (flags) => (await import('./show.ts')).show(flags)));
  command('reset', 'decide where halted partitions go on', offsets)
    .option('--topic <topic>', 'topic of the partitions')
    .option('--partition <n>', 'one partition (default: those of the topic that are halted)', wholeNumber)
    .option('--to <where>', 'earliest, latest, an offset, or a time: 2h (so long ago), or 2026-01-31T08:00:00Z')
    .option(
      '--records <are>',
      'same: go on with what is known; new: all from there become jobs (default: by the offsets)',
    )
    .option('--dry-run', 'only say what would happen')
    .option('--yes', 'do not ask')
    .option('--json', 'one JSON object a partition')
    .action(action(async (flags) => (await import('./reset.ts')).reset(flags)));
}
