/** Whatever the tests put into the temporary folder lies in one of their own, which goes when they end. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export default function setup(): () => void {
  const system = tmpdir();
  const own = mkdtempSync(join(system, 'sluice-tests-'));
  process.env.TMPDIR = own;
  return () => {
    process.env.TMPDIR = system;
    rmSync(own, { recursive: true, force: true, maxRetries: 3 });
  };
}
