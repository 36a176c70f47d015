/** Letters that a command is told by their ids, beside the filters, which hold for them too. */
import { SluiceError } from '../../errors.ts';
import type { Place } from '../../job/letter.ts';
import { fatesOf } from '../../kafka/letters/fates.ts';
import { type Letter, letterId, placeOf } from '../../kafka/letters/letter.ts';
import { type LetterSource, type Selected, selectLetters } from '../../kafka/letters/survey.ts';
import type { Config } from '../config/schema.ts';
import { type FilterFlags, filterOf, letterTopicsOf, warnOfMessage } from './filter.ts';

export interface Chosen extends Selected {
  /** What is known of letters that are named and not among the selected, by their ids. */
  readonly absent: ReadonlyMap<string, string>;
}

/** Looks for the letters that wait and are wanted. `look` throws when letters are named and none of them is among those. */
export function chooser(config: Config, ids: readonly string[], flags: FilterFlags, now: number) {
  const places = placesOf(ids);
  const filter = filterOf(flags, now);
  const named = new Set(places.map(letterId));
  const isWanted = (letter: Letter) => (named.size === 0 || named.has(letter.id)) && filter.isWanted(letter);
  return {
    async look(source: LetterSource, sampleSize: number): Promise<Chosen> {
      const topics = named.size === 0 ? letterTopicsOf(config, flags) : [...new Set(places.map(({ topic }) => topic))];
      const selected = await selectLetters(source, topics, isWanted, sampleSize);
      if (selected.count === 0 && named.size === 0) warnOfMessage(flags, filter);
      return { ...selected, absent: await absentOf(source, places, selected) };
    },
  };
}

async function absentOf(source: LetterSource, places: readonly Place[], { selections, count }: Selected) {
  const selected = new Set(selections.flatMap((of) => of.offsets.map((offset) => letterId({ ...of, offset }))));
  const absent = await fatesOf(
    source,
    places.filter((place) => !selected.has(letterId(place))),
  );
  if (count > 0 || absent.size === 0) return absent;
  throw new SluiceError('OUT_OF_RANGE', [...absent].map(([id, why]) => `${id}: ${why}`).join('\n'));
}

function placesOf(ids: readonly string[]): Place[] {
  return ids.map((id) => {
    const place = placeOf(id);
    if (place?.topic.endsWith('.dlq')) return place;
    throw new SluiceError(
      'USAGE',
      `"${id}" is no letter; allowed: TOPIC.dlq/PARTITION/OFFSET, as "sluice dlq ls" shows`,
    );
  });
}
