/** Writes a partition's log by a script, one step after the other, so that transactions lie in one another as it says. */
import kafkajs, { type Producer, type Transaction } from 'kafkajs';
import { kafkaBrokers } from './stack.ts';

const LARGE_BYTES = 1_000_000;
/** The number 0, and the key of an abort mark. */
const ZERO_KEY = Buffer.alloc(4);

interface Written {
  readonly offset: number;
  readonly text: string;
}

class Author {
  readonly producer: Producer;
  transaction: Transaction | undefined;
  /** Of the transaction that is open. */
  written: Written[] = [];

  constructor(transactionalId: string | undefined) {
    const client = new kafkajs.Kafka({ brokers: kafkaBrokers(), logLevel: kafkajs.logLevel.NOTHING });
    const asked = transactionalId === undefined ? {} : { transactionalId, idempotent: true, maxInFlightRequests: 1 };
    this.producer = client.producer(asked);
  }
}

/**
 * Steps are one letter for each producer: `a` writes a record, in a transaction that is begun when none is open, `a!`
 * aborts it, `a.` commits it; `A` writes a large record, `a0` one with the number 0 for a key; `-` writes one outside of
 * all transactions. A record's text begins with its step. Answers what counts, in the log's order.
 * Kafka writes the mark of a transaction soon after it has answered: a record or two may come between.
 */
export async function writeScript(topic: string, script: string): Promise<Written[]> {
  const authors = new Map<string, Author>();
  const counting: Written[] = [];

  async function authorOf(name: string): Promise<Author> {
    const author = authors.get(name) ?? new Author(name === '-' ? undefined : `${topic}-${name}`);
    if (!authors.has(name)) await author.producer.connect();
    authors.set(name, author);
    return author;
  }

  async function write(author: Author, step: string, number: number): Promise<void> {
    if (step !== '-') author.transaction ??= await author.producer.transaction();
    const text = `${step}${number}`;
    const value = /[A-Z]/.test(step) ? text.padEnd(LARGE_BYTES) : text;
    const messages = [{ key: step.endsWith('0') ? ZERO_KEY : null, value }];
    const [at] = await (author.transaction ?? author.producer).send({ topic, messages });
    (step === '-' ? counting : author.written).push({ offset: Number(at?.baseOffset), text });
  }

  async function end(author: Author, isKept: boolean): Promise<void> {
    await (isKept ? author.transaction?.commit() : author.transaction?.abort());
    if (isKept) counting.push(...author.written);
    Object.assign(author, { transaction: undefined, written: [] });
  }

  for (const [number, step] of script.split(/\s+/).entries()) {
    const author = await authorOf(step.charAt(0).toLowerCase());
    if (/[.!]$/.test(step)) await end(author, step.endsWith('.'));
    else await write(author, step, number);
  }
  await Promise.all([...authors.values()].map(({ producer }) => producer.disconnect()));
  return counting.sort((a, b) => a.offset - b.offset);
}
