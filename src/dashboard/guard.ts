/**
 * Keeps other sites out of a page that has no password: a browser sends the Host that it was asked for, which foils
 * DNS rebinding, and says by Sec-Fetch-Site which site asks. Nothing but reading is allowed.
 */
import type { FastifyInstance, FastifyRequest } from 'fastify';

const LOOPBACK = /^(localhost|127\.0\.0\.1|\[::1\])(:\d+)?$/;
const OWN_SITE = new Set(['same-origin', 'none']);

const HEADERS = {
  'content-security-policy':
    "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self' data:; object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'",
  'x-frame-options': 'DENY',
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cache-control': 'no-store',
};

export function guard(app: FastifyInstance): void {
  app.addHook('onRequest', async (request, reply) => {
    reply.headers(HEADERS);
    const reason = refusal(request);
    if (reason !== undefined) await reply.code(403).send({ error: reason });
  });
}

function refusal({ headers, method }: FastifyRequest): string | undefined {
  if (!LOOPBACK.test(headers.host ?? '')) return 'this page is served to loopback only';
  const site = headers['sec-fetch-site'];
  if (typeof site === 'string' && !OWN_SITE.has(site) && !isLinkFollowed(headers))
    return 'requests from other sites are refused';
  return method === 'GET' || method === 'HEAD' ? undefined : 'this page is read-only';
}

/** A link on another site may lead here; what that site embeds or fetches may not. */
function isLinkFollowed(headers: FastifyRequest['headers']): boolean {
  return headers['sec-fetch-mode'] === 'navigate' && headers['sec-fetch-dest'] === 'document';
}
