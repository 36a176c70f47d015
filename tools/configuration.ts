/**
 * Writes docs/configuration.md from the schemas: every setting with its values, default, variable and meaning.
 * A test fails when the page is not current; then run: node tools/configuration.ts
 */
import { writeFileSync } from 'node:fs';
import { allowed, alternatives, type Shape, shape } from '../src/cli/config/shape.ts';

const PAGE = new URL('../docs/configuration.md', import.meta.url);

const INTRODUCTION = `# Configuration

Everything has a default, so that \`sluice up\` runs beside \`npm run stack\` without a file. What differs comes from,
the first outranking the others:

1. flags, such as \`--workers\`; \`sluice <command> --help\` lists them
2. the environment
3. \`sluice.config.ts\` (or \`.mts\`, \`.js\`, \`.mjs\`) in the working folder, or the file that \`--config\` or \`SLUICE_CONFIG\` names;
   \`.mts\` where package.json does not say \`"type": "module"\`
4. defaults

\`\`\`ts
import { defineConfig } from 'sluice';

export default defineConfig({
  kafka: { brokers: ['kafka-1:9092', 'kafka-2:9092'], groupId: 'shop' },
  redis: { main: { url: 'redis://redis:6379', gate: { closeAt: '70%', openAt: '60%' } } },
  queues: { mail: { concurrency: 20 } },
  topics: {
    'sluice.jobs': {},
    'shop.orders': { record: 'protobuf', message: 'shop.v1.Order', queue: 'orders' },
  },
});
\`\`\`

A key that does not exist is refused wherever it comes from, and so is a value that is not allowed; everything that is
wrong is told at once, each with the file's line or the variable that it came from. \`sluice config show --sources\`
prints the configuration in force and where each value comes from, secrets masked; \`sluice check\` reads it together
with schemas and workers, and starts nothing.

In the environment, \`KAFKA_BROKERS\`, \`REDIS_URL\` (of \`main\`) and \`COLLECTOR_URL\` mean what they say. Every other
setting is \`SLUICE_\` and its path in capitals: two underscores between keys, one between words, such as
\`SLUICE_KAFKA__GROUP_ID\`. Lists are parted by commas; lists and objects may also be JSON, such as
\`SLUICE_TOPICS={"shop.orders":{"record":"json","message":"shop.v1.Order"}}\`. Names of topics and queues are spelled
with \`_\` for every other sign, such as \`SLUICE_TOPICS__SHOP_ORDERS__QUEUE\` for a \`shop.orders\` that the file has;
a name that the file does not have is taken in lower case. A name that ends in \`_FILE\` holds the path of a file with
the value, for secrets: \`SLUICE_KAFKA__SASL__PASSWORD_FILE\`. An empty variable counts as not set.
`;

interface Row {
  readonly path: string;
  readonly variable: string;
  readonly values: string;
  readonly preset: string;
  readonly meaning: string;
}

export function configurationPage(): string {
  const all = Object.entries(shape().properties ?? {});
  const isFolder = ([key]: [string, Shape]) => key === 'workers' || key === 'proto';
  const sections = all.filter((each) => !isFolder(each)).map(([key, one]) => section(key, rowsOf(key, one), one));
  const folders = all.filter(isFolder).flatMap(([key, one]) => rowsOf(key, one));
  return `${INTRODUCTION}\n${[section('Folders', folders), ...sections].join('\n')}`;
}

function section(title: string, rows: readonly Row[], { description }: Shape = {}): string {
  const about = rows.length > 1 && description ? `${description}\n\n` : '';
  const lines = rows.map(
    ({ path, values, preset, variable, meaning }) =>
      `| \`${path}\` | ${values} | ${preset} | \`${variable}\` | ${meaning} |`,
  );
  return `## ${title}\n\n${about}| Setting | Allowed | Default | Variable | Meaning |\n|---|---|---|---|---|\n${lines.join('\n')}\n`;
}

/** One row a value; a table of names has the rows of what stands under a name. */
function rowsOf(path: string, one: Shape): Row[] {
  const branches = alternatives(one);
  const named = branches.flatMap(({ properties = {} }) => Object.entries(properties));
  const entries = branches.flatMap(({ additionalProperties: entry }) => (typeof entry === 'object' ? [entry] : []));
  if (entries.length > 0) return entries.flatMap((entry) => rowsOf(`${path}.<name>`, entry));
  const own = named.length === 0 || branches.some(({ type }) => type !== 'object') ? [row(path, one)] : [];
  const merged = Map.groupBy(named, ([name]) => name);
  const below = [...merged].flatMap(([name, all]) => rowsOf(`${path}.${name}`, together(all.map(([, each]) => each))));
  return [...own, ...below];
}

/** What several alternatives of an object say about one key. */
function together(shapes: readonly Shape[]): Shape {
  const [first = {}] = shapes;
  const { description } = first;
  return shapes.length === 1 ? first : { anyOf: shapes, ...(description !== undefined && { description }) };
}

function row(path: string, one: Shape): Row {
  const variable = path.split('.').map((key) => key.replace(/[A-Z]/g, '_$&').toUpperCase());
  const preset = one.default === undefined ? '' : `\`${JSON.stringify(one.default)}\``;
  const words = allowed(alternatives(one));
  return {
    path,
    variable: `SLUICE_${variable.join('__')}`,
    // What has no words of its own is a rule that only the file can hold.
    values: cell(words || 'a text, or a function in the file'),
    preset,
    meaning: cell(one.description ?? ''),
  };
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|');
}

if (import.meta.main) writeFileSync(PAGE, configurationPage());
