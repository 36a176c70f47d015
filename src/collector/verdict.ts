/** What an answer of the collector means for the batch that was sent. Pure. */

export type Verdict =
  | { readonly kind: 'accepted' }
  /** Never again. `isByEvent`: one event may be to blame for its neighbours, so a batch is tried by halves. */
  | { readonly kind: 'refused'; readonly isByEvent: boolean; readonly reason: string }
  /** `afterMs`: what the collector asked for. */
  | { readonly kind: 'retry'; readonly reason: string; readonly afterMs?: number };

export interface Answer {
  readonly status: number;
  /** The header, as it came. */
  readonly retryAfter: string | undefined;
  /** Beginning of the body. */
  readonly text: string;
}

/** The content does not please: 400, 413 and 422 say nothing about the neighbours of the event to blame. */
const BY_EVENT = new Set([400, 413, 422]);
/** The sender does not please. */
const AS_A_WHOLE = new Set([401, 403, 410]);
/** Also what a proxy says while its collector is being replaced, so it is tried again. */
const NOT_FOUND = 404;
/** A collector that asks for more is asked again after this. */
const MOST_REST_MS = 300_000;

export function verdictOf(answer: Answer, now: number): Verdict {
  const { status, retryAfter } = answer;
  if (status >= 200 && status < 300) return { kind: 'accepted' };
  const reason = reasonOf(answer);
  if (BY_EVENT.has(status)) return { kind: 'refused', isByEvent: true, reason };
  if (AS_A_WHOLE.has(status)) return { kind: 'refused', isByEvent: false, reason };
  const afterMs = retryAfter === undefined ? undefined : retryAfterMs(retryAfter, now);
  return afterMs === undefined ? { kind: 'retry', reason } : { kind: 'retry', reason, afterMs };
}

function reasonOf({ status, text }: Answer): string {
  const said = text === '' ? '' : `: ${text}`;
  return status === NOT_FOUND ? `answered 404, is collector.url right?${said}` : `answered ${status}${said}`;
}

/** Seconds or an HTTP date (RFC 9110, 10.2.3); undefined for anything else. */
function retryAfterMs(header: string, now: number): number | undefined {
  const text = header.trim();
  const afterMs = /^\d+$/.test(text) ? Number(text) * 1000 : Date.parse(text) - now;
  return Number.isNaN(afterMs) ? undefined : Math.min(MOST_REST_MS, Math.max(0, afterMs));
}
