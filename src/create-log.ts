/**
 * The log of a process, as lines of JSON on stderr: stdout is for a command's data. Apart from log.ts, so that programs
 * that only produce load no logging library.
 */
import { pino } from 'pino';
import type { Log, LogLevel } from './log.ts';

/** `fields` are on every line; `err` fields are written with their stack and cause. */
export function createLog(level: LogLevel, fields: object = {}): Log {
  return pino(
    {
      level,
      base: fields,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { err: pino.stdSerializers.errWithCause },
    },
    pino.destination({ fd: 2, sync: true }),
  );
}
