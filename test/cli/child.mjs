// A child as the supervisor's test wants it: says what it is told to say, ends as it is told to end.
import { appendFileSync } from 'node:fs';

const [how, file] = process.argv.slice(2);
appendFileSync(file, `${process.pid}\n`);
if (how === 'config') process.exit(3);
if (how === 'crash') process.exit(1);
process.send('sluice-ready');
if (how === 'stubborn') process.on('SIGTERM', () => {});
process.on('disconnect', () => process.exit());
setInterval(() => {}, 1_000);
