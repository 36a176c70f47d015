import { expect, it } from 'vitest';
import { type EndSignal, PlainEnd } from '../src/end-signal.ts';

const makers: [string, () => { signal: EndSignal; abort: (reason: unknown) => void }][] = [
  [
    'an AbortSignal',
    () => {
      const controller = new AbortController();
      return { signal: controller.signal, abort: (reason) => controller.abort(reason) };
    },
  ],
  [
    'a plain one',
    () => {
      const end = new PlainEnd();
      return { signal: end, abort: (reason) => end.abort(reason) };
    },
  ],
];

it.each(makers)('%s tells its end once, with the first reason, to those who still listen', (_, make) => {
  const { signal, abort } = make();
  const heard: string[] = [];
  const left = () => void heard.push('left');
  signal.addEventListener('abort', () => void heard.push('first'), { once: true });
  signal.addEventListener('abort', left, { once: true });
  signal.addEventListener('abort', () => void heard.push('second'), { once: true });
  signal.removeEventListener('abort', left);
  expect([signal.aborted, signal.reason]).toEqual([false, undefined]);
  abort('why');
  abort('again');
  signal.addEventListener('abort', () => void heard.push('late'), { once: true });
  expect([signal.aborted, signal.reason]).toEqual([true, 'why']);
  expect(heard).toEqual(['first', 'second']);
});
