/**
 * Kafka's jars: by Maven, or, where a Maven repository is named in the environment, by plain download of the pinned
 * list (jars.json), each checked by its SHA-256. A set that is not complete is never used.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const MIRROR_VARIABLE = 'SLUICE_MAVEN_REPOSITORY';
const POM = fileURLToPath(new URL('./pom.xml', import.meta.url));
const PINNED = new URL('./jars.json', import.meta.url);
const DOWNLOADS_AT_ONCE = 6;
const DOWNLOAD_WITHIN_MS = 120_000;

export function jarsIn(dir: string): string {
  return join(dir, 'jars');
}

export function hasJars(dir: string): boolean {
  return existsSync(join(jarsIn(dir), '.complete'));
}

export async function fetchJars(dir: string, mirror = process.env[MIRROR_VARIABLE]): Promise<void> {
  if (hasJars(dir)) return;
  const jars = jarsIn(dir);
  mkdirSync(jars, { recursive: true });
  if (mirror) await download(jars, mirror);
  else byMaven(jars);
  if (!readdirSync(jars).some((name) => name.startsWith('kafka_')))
    throw new Error(`no Kafka was brought into ${jars}`);
  writeFileSync(join(jars, '.complete'), '');
}

function byMaven(jars: string): void {
  const goal = ['dependency:copy-dependencies', `-DoutputDirectory=${jars}`, '-DincludeScope=runtime'];
  const { status, error, stdout, stderr } = spawnSync('mvn', ['-q', '-B', '-f', POM, ...goal], { encoding: 'utf8' });
  if (status !== 0) throw new Error(`Kafka's jars cannot be fetched by Maven:\n${error?.message ?? stdout + stderr}`);
}

/** Path in a Maven repository, and SHA-256. */
export function pinnedJars(): Record<string, string> {
  return JSON.parse(readFileSync(PINNED, 'utf8'));
}

async function download(jars: string, mirror: string): Promise<void> {
  const base = mirror.endsWith('/') ? mirror : `${mirror}/`;
  const left = Object.entries(pinnedJars());
  const lane = async () => {
    for (let next = left.pop(); next !== undefined; next = left.pop()) await downloadOne(jars, base, ...next);
  };
  await Promise.all(Array.from({ length: DOWNLOADS_AT_ONCE }, lane));
}

async function downloadOne(jars: string, base: string, path: string, sha256: string): Promise<void> {
  const url = new URL(path, base);
  const response = await fetch(url, { signal: AbortSignal.timeout(DOWNLOAD_WITHIN_MS) });
  if (!response.ok) throw new Error(`${url} (from ${MIRROR_VARIABLE}) answered ${response.status}`);
  const bytes = Buffer.from(await response.arrayBuffer());
  const found = createHash('sha256').update(bytes).digest('hex');
  if (found !== sha256) throw new Error(`${url} has SHA-256 ${found}, wanted is ${sha256}`);
  writeFileSync(join(jars, basename(path)), bytes);
}
