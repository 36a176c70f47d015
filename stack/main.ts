/** `npm run stack -- up|down|status|env [--dir FOLDER] [--install]`. */
import { parseArgs } from 'node:util';
import { addressesOf, down, readState, stackDir, status, up } from './stack.ts';

const USAGE = 'usage: npm run stack -- up|down|status|env [--dir FOLDER] [--install]\n';

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { dir: { type: 'string' }, install: { type: 'boolean', default: false } },
  });
  const options = { install: values.install, ...(values.dir !== undefined && { dir: values.dir }) };
  switch (positionals[0]) {
    case 'up':
      print(await up(options));
      return 0;
    case 'down':
      await down(options);
      return 0;
    case 'status': {
      const now = await status(options);
      process.stdout.write(`${JSON.stringify(now)}\n`);
      return now.kafka.answers && now.redis.answers ? 0 : 5;
    }
    case 'env':
      print(addressesOf(readState(stackDir(options)), options));
      return 0;
    default:
      process.stderr.write(USAGE);
      return 2;
  }
}

function print(addresses: object): void {
  for (const [name, value] of Object.entries(addresses)) process.stdout.write(`export ${name}=${String(value)}\n`);
}

// Ends at once: a Kafka client that asked a broker still starting goes on trying for up to a minute.
try {
  process.exit(await main());
} catch (error) {
  process.stderr.write(`stack: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
}
