/**
 * What a replay would do, without doing it. It reads every letter, as the replay does. Only Kafka itself can tell for
 * certain whether it takes a record; what is larger than a topic's limit is known before.
 */
import type { AddressedRecord, KafkaAdmin } from '../consumer.ts';
import { Destinations, type Sending } from './destinations.ts';
import type { Letter } from './letter.ts';
import { type LetterSource, lettersOf, type Selection } from './survey.ts';

export interface ForecastOptions extends Sending {
  readonly source: LetterSource & { readonly admin: Pick<KafkaAdmin, 'settings'> };
  /** How many letters are answered in full. */
  readonly sampleSize: number;
}

export interface Forecast {
  readonly replayed: number;
  /** Why a letter would not be replayed, by its id. */
  readonly refused: ReadonlyMap<string, string>;
  /** Of those that would be. */
  readonly sample: readonly Letter[];
}

export async function forecast(selections: readonly Selection[], options: ForecastOptions): Promise<Forecast> {
  const { source, sampleSize } = options;
  const destinations = new Destinations(source, options);
  const isTooLarge = createSizeCheck(source.admin);
  const refused = new Map<string, string>();
  const sample: Letter[] = [];
  let replayed = 0;
  for (const selection of selections) {
    for await (const letter of lettersOf(source, selection)) {
      const why = (await destinations.refusalOf(letter)) ?? (await isTooLarge(destinations.addressed(letter)));
      if (why !== undefined) refused.set(letter.id, why);
      else if (++replayed <= sampleSize) sample.push(letter);
    }
  }
  return { replayed, refused, sample };
}

/** Without the right to read a topic's settings, nothing is too large. */
function createSizeCheck(admin: Pick<KafkaAdmin, 'settings'>) {
  const limits = new Map<string, Promise<number>>();

  async function limitOf(topic: string): Promise<number> {
    const settings = await admin.settings([topic]).catch(() => undefined);
    return Number(settings?.get(topic)?.get('max.message.bytes') ?? Number.POSITIVE_INFINITY);
  }

  return async (record: AddressedRecord): Promise<string | undefined> => {
    const { topic } = record;
    const asked = limits.get(topic) ?? limitOf(topic);
    limits.set(topic, asked);
    return bytesOf(record) > (await asked) ? `larger than max.message.bytes of ${topic} allows` : undefined;
  };
}

/** What it takes at least: Kafka adds some bytes of its own. */
function bytesOf({ key, value, headers = {} }: AddressedRecord): number {
  const texts = Object.entries(headers).flat();
  return [key ?? '', value ?? '', ...texts].reduce((sum, each) => sum + Buffer.byteLength(each), 0);
}
