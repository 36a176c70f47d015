/** Packed commands against the client's own: the same bytes. */
import { Command } from 'ioredis';
import { expect, it } from 'vitest';
import { PackedArguments, PackedCommand } from '../../src/redis/packed.ts';

const TEXTS = ['', 'a', 'é😀', 'x'.repeat(9), 'x'.repeat(10), 'y'.repeat(12_345), 'last'];

/** What ioredis itself would write. */
function plain(name: string, args: readonly (string | number)[]): string {
  return String(new Command(name, [...args]).toWritable({}));
}

it.each([
  ['room of its own', undefined, 0],
  ['no room', Buffer.alloc(0), 0],
  ['little room', Buffer.alloc(100), 40],
  ['room, and too little in front', Buffer.alloc(100_000), 10],
  ['room for all', Buffer.alloc(100_000), 1_024],
])('writes texts as the client does, with %s', (_, room, start) => {
  const packed = new PackedArguments(room, start);
  for (const text of TEXTS) packed.add(text);
  expect(packed.count).toBe(TEXTS.length);
  for (const rest of [[], ['', 'é'], [packed], ['x', packed]]) {
    const all = rest.flatMap((each) => (each === packed ? TEXTS : [each as string]));
    const command = new PackedCommand('evalsha', ['sha', 1, 'key'], [7, packed, ...rest]);
    expect(command.toWritable().toString()).toBe(plain('evalsha', ['sha', 1, 'key', 7, ...TEXTS, ...all]));
  }
});

it('writes large arguments where they are, behind what comes first', () => {
  const room = Buffer.alloc(100_000);
  const packed = new PackedArguments(room, 1_024);
  for (const text of TEXTS) packed.add(text);
  const { buffer } = new PackedCommand('evalsha', ['sha', 1, 'key'], [7, packed]).toWritable();
  expect(buffer).toBe(room.buffer);
  expect(packed.room).toBe(room);
});

it('writes pieces as one argument', () => {
  const packed = new PackedArguments();
  const pieces = [Buffer.from('{"é":'), Buffer.from('..middle..'), Buffer.from('}}rest')] as const;
  for (let i = 0; i < 200; i++) packed.addPieces(pieces[0], pieces[1], 2, 8, pieces[2], 2);
  const args = Array.from({ length: 200 }, () => '{"é":middle}}');
  expect(new PackedCommand('x', [], [packed]).toWritable().toString()).toBe(plain('x', args));
});

it('shows the client only what it needs to know of a command', () => {
  const command = new PackedCommand('evalsha', ['sha', 1, 'key'], ['rest']);
  expect(command.name).toBe('evalsha');
  expect(command.args).toEqual(['sha', '1', 'key']);
});
