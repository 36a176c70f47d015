/** Faults of the HTTP collector. */
import { systemClock } from '../../clock.ts';
import type { Mood } from '../receiver.ts';
import type { Kind } from './kind.ts';

const FOR_MS = 4_000;

const MOODS: Readonly<Record<Exclude<Mood, 'well'>, string>> = {
  slow: 'the collector takes two seconds for each answer',
  '429': 'the collector answers 429',
  '503': 'the collector answers 503',
  hanging: 'the collector takes requests and never answers',
  reset: 'the collector takes the events and breaks the connection',
};

export const COLLECTOR_KINDS: readonly Kind[] = Object.entries(MOODS).map(([mood, does]) => ({
  name: `collector-${mood}`,
  area: 'collector',
  does,
  async inject({ receiver }) {
    receiver.behave(mood as Mood);
    await systemClock.sleep(FOR_MS);
    receiver.behave('well');
  },
}));
