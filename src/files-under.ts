/** All files under a folder, in an order that is the same everywhere. */
import { readdirSync, realpathSync, statSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Absolute or relative as `dir` is. Links are followed, since mounted configuration is made of them, and each folder
 * is read once. Names that begin with a dot and node_modules are passed over, and so are links to nowhere.
 */
export function filesUnder(dir: string, visited: Set<string> = new Set()): string[] {
  const real = realpathSync(dir);
  if (visited.has(real)) return [];
  visited.add(real);
  const entries = readdirSync(dir, { withFileTypes: true }).filter(
    ({ name }) => !name.startsWith('.') && name !== 'node_modules',
  );
  const files = entries.flatMap((entry) => {
    const path = join(dir, entry.name);
    const kind = entry.isSymbolicLink() ? statSync(path, { throwIfNoEntry: false }) : entry;
    if (kind?.isDirectory()) return filesUnder(path, visited);
    return kind?.isFile() ? [path] : [];
  });
  return files.sort();
}
