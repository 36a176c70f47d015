/** Requests to the collector, over a pool of connections. Rejects with SluiceError UNREACHABLE when no answer came. */
import { Pool } from 'undici';
import { messageOf, SluiceError } from '../errors.ts';
import { PATH } from './tp2.ts';
import type { Answer } from './verdict.ts';

/** As much of an answer is shown to people. */
const SHOWN_CHARS = 200;

export interface Post {
  send(body: string, timeoutMs: number): Promise<Answer>;
  /** What is under way is broken off. */
  close(): Promise<void>;
}

/** `url` may name the collector, a path in front of it, or the whole address of tp2; and a user with password. */
export function createPost(url: string, connections: number): Post {
  const { origin, pathname, username, password } = new URL(url);
  const pool = new Pool(origin, { connections, headersTimeout: 0, bodyTimeout: 0 });
  const path = pathname.endsWith(PATH) ? pathname : pathname.replace(/\/+$/, '') + PATH;
  const headers = {
    'content-type': 'application/json; charset=utf-8',
    ...(username !== '' && { authorization: basic(username, password) }),
  };

  return {
    async send(body, timeoutMs) {
      const signal = AbortSignal.timeout(timeoutMs);
      try {
        const answer = await pool.request({ path, method: 'POST', headers, body, signal });
        const text = await beginning(answer.body);
        const retryAfter = answer.headers['retry-after'];
        return {
          status: answer.statusCode,
          retryAfter: Array.isArray(retryAfter) ? retryAfter[0] : retryAfter,
          text,
        };
      } catch (error) {
        const reason = signal.aborted ? `no answer within ${timeoutMs} ms` : reasonOf(error);
        throw new SluiceError('UNREACHABLE', reason, { cause: error });
      }
    },

    close: () => pool.destroy(),
  };
}

/** Reads to the end, so that the connection can be used again. The status was the answer: a break here changes nothing. */
async function beginning(body: AsyncIterable<Buffer>): Promise<string> {
  let text = '';
  try {
    for await (const chunk of body) if (text.length < SHOWN_CHARS) text += chunk.toString();
  } catch {}
  return text.replace(/\s+/g, ' ').trim().slice(0, SHOWN_CHARS);
}

function basic(username: string, password: string): string {
  const pair = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  return `Basic ${Buffer.from(pair).toString('base64')}`;
}

/** A failure at several addresses of one name has no message of its own. */
function reasonOf(error: unknown): string {
  if (error instanceof AggregateError && error.message === '') return error.errors.map(messageOf).join('; ');
  return messageOf(error) || String(error);
}
