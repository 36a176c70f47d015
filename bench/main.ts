/** `npm run bench [-- NAME options]`: measurements, each on servers of its own. */
import { existsSync } from 'node:fs';

const [name = 'fill'] = process.argv.slice(2).filter((word) => !word.startsWith('-'));
const file = new URL(`./${name}.ts`, import.meta.url);
if (!/^[a-z]+$/.test(name) || !existsSync(file)) {
  process.stderr.write(`there is no measurement ${name}; there are: fill, drain, settling\n`);
  process.exit(2);
}
await import(file.href);
