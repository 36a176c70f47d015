/** What the gate and the start-up checks need of Redis's INFO. */
import type { MemoryReading } from './sink.ts';

export function parseInfo(text: string): MemoryReading {
  const field = (name: string) => new RegExp(`^${name}:(.*?)\\r?$`, 'm').exec(text)?.[1] ?? '';
  return {
    usedBytes: Number(field('used_memory')),
    maxBytes: Number(field('maxmemory')),
    systemBytes: Number(field('total_system_memory')),
    evictionPolicy: field('maxmemory_policy'),
    version: field('valkey_version') || field('redis_version'),
  };
}
