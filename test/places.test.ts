import { expect, it } from 'vitest';
import { Places } from '../src/places.ts';

it('keeps nothing in a place that was emptied, and gives it away again', () => {
  const places = new Places<string>();
  const [first, second] = [places.add('a'), places.add('b')];
  places.empty(first);
  expect([places.get(first), places.get(second), places.values()]).toEqual([undefined, 'b', ['b']]);
  for (let n = 0; n < 100; n++) {
    const place = places.add(String(n));
    expect([place, places.get(place)]).toEqual([first, String(n)]);
    places.empty(place);
  }
  places.replace(second, 'c');
  expect(places.values()).toEqual(['c']);
});
