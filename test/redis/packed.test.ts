/** Packed commands against the client's own: the same bytes. */
import { Command } from 'ioredis';
import { expect, it } from 'vitest';
import { PackedArguments, PackedCommand } from '../../src/redis/packed.ts';

const TEXTS = ['', 'a', 'é😀', 'x'.repeat(9), 'x'.repeat(10), 'y'.repeat(12_345), 'last'];

/** What ioredis itself would write. */
function plain(name: string, args: readonly (string | number)[]): string {
  return String(new Command(name, [...args]).toWritable({}));
}

it('writes texts as the client does, however much room was thought of', () => {
  for (const room of [1, 64, undefined]) {
    const packed = new PackedArguments(room);
    for (const text of TEXTS) packed.add(text);
    const command = new PackedCommand('evalsha', ['sha', 1, 'key'], [7, packed, '', 'é']);
    expect(packed.count).toBe(TEXTS.length);
    expect(command.toWritable().toString()).toBe(plain('evalsha', ['sha', 1, 'key', 7, ...TEXTS, '', 'é']));
  }
});

it('writes pieces as one argument', () => {
  const packed = new PackedArguments(1);
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
