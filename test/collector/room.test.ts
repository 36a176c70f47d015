import { expect, it } from 'vitest';
import { createRoom } from '../../src/collector/room.ts';

it('holds as many as fit, by count and by bytes, and lets the rest in as others leave, in order', async () => {
  const room = createRoom(3, 100);
  expect([room.tryEnter(60), room.tryEnter(40), room.tryEnter(1)]).toEqual([true, true, false]);
  const order: string[] = [];
  const waits = [room.enter(70).then(() => order.push('large')), room.enter(1).then(() => order.push('small'))];
  room.leave(40);
  await Promise.resolve();
  expect(order).toEqual([]);
  expect(room.tryEnter(1)).toBe(false);
  room.leave(60);
  await Promise.all(waits);
  expect(order).toEqual(['large', 'small']);
});

it('takes what is larger than itself when it is empty', () => {
  const room = createRoom(3, 100);
  expect(room.tryEnter(500)).toBe(true);
  expect(room.tryEnter(1)).toBe(false);
});

it('sends everybody away when it is closed', async () => {
  const room = createRoom(1, 100);
  room.tryEnter(1);
  const waiting = [room.enter(1), room.enter(1)];
  room.close();
  expect(await Promise.all([...waiting, room.enter(1)])).toEqual([false, false, false]);
});
