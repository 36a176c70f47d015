/** Exit codes, and which one an error means. */
import { isSluiceError } from '../errors.ts';

export const EXIT = {
  ok: 0,
  failed: 1,
  usage: 2,
  configuration: 3,
  unreachable: 4,
  unhealthy: 5,
  partial: 6,
  interrupted: 130,
} as const;

export function exitCodeOf(error: unknown): number {
  if (!isSluiceError(error)) return EXIT.failed;
  switch (error.code) {
    case 'USAGE':
      return EXIT.usage;
    case 'CONFIG':
    case 'SCHEMA':
    case 'WORKER':
    case 'UNFIT':
      return EXIT.configuration;
    case 'UNREACHABLE':
      return EXIT.unreachable;
    default:
      return EXIT.failed;
  }
}
