/** What is checked of a worker's options. Every error is SluiceError WORKER and names the worker, the option, and what is allowed. */
import { SluiceError } from '../errors.ts';
import { suggestion } from '../suggest.ts';

const LONGEST_MS = 2_147_483_647;

export function requireMessageName(name: unknown): void {
  if (typeof name === 'string' && /^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*$/.test(name)) return;
  const allowed = "the full name of a message type, such as 'acme.email.v1.SendWelcome'";
  throw wrong(String(name), 'message', name, allowed);
}

export function requireOptions(worker: string, options: unknown, known: readonly string[]): void {
  if (typeof options !== 'object' || options === null)
    throw wrong(worker, 'options', options, `an object of ${known.join(', ')}`);
  for (const name of Object.keys(options)) {
    if (known.includes(name)) continue;
    const problem = `unknown option "${name}"${suggestion(name, known)}; allowed: ${known.join(', ')}`;
    throw new SluiceError('WORKER', `worker ${worker}: ${problem}`);
  }
}

export function requireRun(worker: string, run: unknown, given: string, name = 'run'): void {
  if (typeof run !== 'function') throw wrong(worker, name, run, `a function (${given}, ctx)`);
}

export function requireTimes(worker: string, { timeoutMs, backoff }: { timeoutMs?: unknown; backoff?: unknown }): void {
  requireInteger(worker, 'timeoutMs', timeoutMs, 1, LONGEST_MS);
  if (backoff === undefined) return;
  if (typeof backoff !== 'object' || backoff === null) {
    throw wrong(worker, 'backoff', backoff, 'an object with baseMs and maxMs');
  }
  requireInteger(worker, 'backoff.baseMs', Reflect.get(backoff, 'baseMs'), 0, LONGEST_MS);
  requireInteger(worker, 'backoff.maxMs', Reflect.get(backoff, 'maxMs'), 0, LONGEST_MS);
}

export function requireInteger(worker: string, name: string, value: unknown, least: number, most: number): void {
  if (value === undefined || (Number.isInteger(value) && (value as number) >= least && (value as number) <= most))
    return;
  throw wrong(worker, name, value, `a whole number from ${least} to ${most}`);
}

export function requireText(worker: string, name: string, value: unknown, pattern: RegExp, allowed: string): void {
  if (typeof value !== 'string' || !pattern.test(value)) throw wrong(worker, name, value, allowed);
}

export function wrong(worker: string, name: string, value: unknown, allowed: string): SluiceError {
  const shown = value === undefined || value === null ? String(value) : `the ${typeof value} ${textOf(value)}`;
  return new SluiceError('WORKER', `worker ${worker}: ${name}: ${shown} is not allowed; allowed: ${allowed}`);
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? JSON.stringify(value) : String(value);
}
