/** Collectors know events again by these ids: they are the same for ever. */
import { expect, it } from 'vitest';
import { eventIdOf, sidekiqEventIdOf } from '../../src/job/event-id.ts';

const TIME = 1_700_000_000_000;

it.each([
  ['a record', 'k~orders~0~3~17', undefined, '39604233-7816-8fef-a08c-feae7e61887e'],
  ['a record, whenever its job was made', 'k~orders~0~3~17', TIME, '39604233-7816-8fef-a08c-feae7e61887e'],
  ['a record that was enqueued once more', 'k~orders~2~3~17', TIME, 'df5f9ad8-8278-879f-a871-5d109b7eda41'],
  ["a consumer group's", 'k~orders~0~3~abcd1234~17', TIME, '5631bc2b-b3a8-8dea-a2db-05639ec25f8c'],
  ['a direct job', '17', undefined, 'bb1eae44-c102-871e-a85f-c01dc6832eda'],
  ['a direct job with its time', '17', TIME, 'f817fd23-cfb0-85a2-ad93-9cefe87ac26f'],
  ['a direct job of the epoch', '17', 0, '5afa4b99-6c24-8220-a666-72ecca184401'],
  ['no record: no place', 'k~x', TIME, '401c00ff-00d4-8dd5-a382-f9ea78a5f3b5'],
  ['no record: generation', 'k~orders~1234567890~3~17', TIME, 'fea8d716-9551-8333-afcc-3b9f243688b8'],
  ['no record: offset', 'k~orders~0~3~12345678901234567890', TIME, 'a6ca2f6b-8728-8272-ae4a-bd918e12c1da'],
])('of %s', (_, id, createdAt, eventId) => {
  expect(eventIdOf({ queue: 'mail', id, ...(createdAt !== undefined && { createdAt }) })).toBe(eventId);
});

it('of Sidekiq, by its jid and time, or by its record alone', () => {
  expect(sidekiqEventIdOf('b4a577edbccf1d805744efa9', TIME + 0.4)).toBe('1262fbc6-d54a-8442-a2d4-d7cc8af84030');
  for (const id of ['k~orders~2~3~17', 'k~orders~0~3~17'])
    expect(sidekiqEventIdOf(id)).toBe('b7900177-2972-8d6c-a45b-446c49b26dfc');
});
