/**
 * Every error that Sluice raises on purpose: one base class, one table of codes.
 * A code says what went wrong and whether trying again can help; the message says what to do.
 * Expected outcomes are return values; an exception is a surprise or a refusal at an edge.
 */

const CODES = {
  /** The configuration is wrong; nothing was started. */
  CONFIG: { retryable: false },
  /** The command line is wrong. */
  USAGE: { retryable: false },
  /** A .proto file or message type cannot be used. */
  SCHEMA: { retryable: false },
  /** A value does not fit its message type. */
  INVALID_MESSAGE: { retryable: false },
  /** A worker file or definition cannot be used. */
  WORKER: { retryable: false },
  /** A dependency (Kafka, Redis, collector) cannot be reached. */
  UNREACHABLE: { retryable: true },
  /** A dependency answered, and refuses what Sluice needs (eviction policy, version, ACL). */
  UNFIT: { retryable: false },
  /** Redis refuses writes for now (OOM, READONLY, LOADING, BUSY). */
  REDIS_REFUSES: { retryable: true },
  /** The log does not hold the offset: it was deleted, or is not there yet. */
  OUT_OF_RANGE: { retryable: false },
  /** Two stages disagree about the ledger: the partition was claimed by somebody else. */
  DISOWNED: { retryable: true },
  /** A dead letter could not be written. */
  LETTER_REFUSED: { retryable: true },
  /** The collector refused an event for good. */
  COLLECTOR_REFUSED: { retryable: false },
  /** The collector did not accept an event in time. */
  COLLECTOR_UNAVAILABLE: { retryable: true },
  /** A deadline passed. */
  TIMEOUT: { retryable: true },
  /** The component was stopped while the call was under way. */
  STOPPED: { retryable: true },
} as const satisfies Record<string, { retryable: boolean }>;

export type ErrorCode = keyof typeof CODES;

interface SluiceErrorOptions extends ErrorOptions {
  readonly isUnsent?: boolean;
}

export class SluiceError extends Error {
  readonly code: ErrorCode;
  readonly retryable: boolean;
  /** True when nothing can have arrived, because there never was a connection, or is no such topic. */
  readonly isUnsent: boolean;

  constructor(code: ErrorCode, message: string, options: SluiceErrorOptions = {}) {
    super(message, options);
    this.name = 'SluiceError';
    this.code = code;
    this.retryable = CODES[code].retryable;
    this.isUnsent = options.isUnsent ?? false;
  }
}

export function isSluiceError(error: unknown, code?: ErrorCode): error is SluiceError {
  return error instanceof SluiceError && (code === undefined || error.code === code);
}

/** The text of anything that was thrown; even of what cannot be made text. */
export function messageOf(error: unknown): string {
  try {
    return error instanceof Error ? error.message : String(error);
  } catch {
    return `a thrown ${typeof error}`;
  }
}
