/** What an answer of the collector means for the batch. Pure. */

export type Verdict =
  | { readonly kind: 'accepted' }
  /** Never again. */
  | { readonly kind: 'refused' }
  /** Too large as a whole: try its halves. */
  | { readonly kind: 'split' }
  /** `afterMs`: what the collector asked for. */
  | { readonly kind: 'retry'; readonly afterMs?: number };

const NEVER = new Set([400, 401, 403, 410, 422]);

export function verdictOf(status: number, retryAfter: string | undefined, now: number): Verdict {
  if (status >= 200 && status < 300) return { kind: 'accepted' };
  if (NEVER.has(status)) return { kind: 'refused' };
  if (status === 413) return { kind: 'split' };
  const afterMs = retryAfter === undefined ? undefined : retryAfterMs(retryAfter, now);
  return afterMs === undefined ? { kind: 'retry' } : { kind: 'retry', afterMs };
}

/** Seconds or an HTTP date (RFC 9110, 10.2.3); undefined for anything else. */
function retryAfterMs(text: string, now: number): number | undefined {
  if (/^\d{1,9}$/.test(text.trim())) return Number(text) * 1000;
  const date = Date.parse(text);
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}
