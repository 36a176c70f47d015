/**
 * Finds and reads .proto files: every one under the given folders, the envelope of this package, and Google's
 * well-known types. A file that cannot be used stops the start, with its place.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import protobuf from 'protobufjs';
import { messageOf, SluiceError } from '../errors.ts';
import { didYouMean } from '../suggest.ts';
import { createCodec } from './codec.ts';
import { createDescriber, type MessageInfo } from './descriptor.ts';
import type { Codec, Schemas } from './schemas.ts';

/** The package's own protos: beside src/ in the checkout, beside dist/ in the published package. */
const OWN_PROTO = fileURLToPath(new URL('../../proto', import.meta.url));
const ENVELOPE = 'sluice/v1/job.proto';

export interface LoadedSchemas extends Schemas {
  /** For the generation of types. */
  describe(type: string): MessageInfo;
  /** The .proto files, absolute, without those of the package and of Google. */
  readonly files: readonly string[];
}

/** Folders that do not exist are passed over. All errors are SluiceError SCHEMA. */
export function loadSchemas(dirs: readonly string[]): LoadedSchemas {
  const roots = dirs.map((dir) => resolve(dir)).filter((dir) => existsSync(dir));
  const files = [...new Set(roots.flatMap(findProtos))].sort();
  const root = new protobuf.Root();
  const parsed = new Set<string>();
  parseFile(join(OWN_PROTO, ENVELOPE), ENVELOPE, { root, parsed, roots });
  for (const file of files) parseFile(file, nameIn(roots, file), { root, parsed, roots });
  resolveAll(root);
  return schemasOf(root, files);
}

interface Parsing {
  readonly root: protobuf.Root;
  /** Import names, so that a file is read once whichever way it is named. */
  readonly parsed: Set<string>;
  readonly roots: readonly string[];
}

function parseFile(file: string, name: string, parsing: Parsing): void {
  if (parsing.parsed.has(name)) return;
  parsing.parsed.add(name);
  const text = readFileSync(file, 'utf8');
  if (!/^\s*(syntax\s*=\s*["']proto3["']|edition\s*=)/m.test(text)) {
    throw new SluiceError(
      'SCHEMA',
      `${shown(file)}: only proto3 and editions are supported; begin with: syntax = "proto3";`,
    );
  }
  const result = parseText(file, text, parsing.root);
  for (const imported of [...(result.imports ?? []), ...(result.weakImports ?? [])])
    importFile(file, text, imported, parsing);
}

function parseText(file: string, text: string, root: protobuf.Root): protobuf.IParserResult {
  try {
    return protobuf.parse(text, root, { keepCase: true, alternateCommentMode: true });
  } catch (error) {
    const line = /\(line (\d+)\)/.exec(messageOf(error))?.[1];
    const place = line === undefined ? shown(file) : `${shown(file)}:${line}`;
    throw new SluiceError('SCHEMA', `${place}: ${messageOf(error).replace(/\s*\(line \d+\)/, '')}`, { cause: error });
  }
}

function importFile(from: string, text: string, name: string, parsing: Parsing): void {
  const own = protobuf.common.get(name) as { nested?: object } | null;
  if (own !== null && own !== undefined) {
    if (!parsing.parsed.has(name)) parsing.root.addJSON(own.nested as Record<string, protobuf.AnyNestedObject>);
    parsing.parsed.add(name);
    return;
  }
  const file = [...parsing.roots, dirname(from), OWN_PROTO]
    .map((dir) => join(dir, name))
    .find((path) => existsSync(path));
  if (file !== undefined) {
    parseFile(file, name, parsing);
    return;
  }
  const line = text.slice(0, text.indexOf(name)).split('\n').length;
  throw new SluiceError(
    'SCHEMA',
    `${shown(from)}:${line}: import "${name}" is not found; looked under ${parsing.roots.map(shown).join(', ')}`,
  );
}

function resolveAll(root: protobuf.Root): void {
  try {
    root.resolveAll();
  } catch (error) {
    throw new SluiceError('SCHEMA', `the .proto files do not fit together: ${messageOf(error)}`, { cause: error });
  }
}

function schemasOf(root: protobuf.Root, files: readonly string[]): LoadedSchemas {
  const describer = createDescriber();
  const types = new Map(typesIn(root).map((type) => [type.fullName.slice(1), type]));
  const names = [...types.keys()].sort();
  const codecs = new Map<string, Codec>();

  function find(name: string): protobuf.Type {
    const type = types.get(name);
    if (type !== undefined) return type;
    const near = didYouMean(name, names);
    const hint = near === undefined ? `known: ${names.filter(isOwn).join(', ') || 'none'}` : `did you mean ${near}?`;
    throw new SluiceError('SCHEMA', `no .proto file defines the message ${name}; ${hint}`);
  }

  return {
    files,
    has: (type) => types.has(type),
    types: () => names,
    describe: (type) => describer(find(type)),
    codec: (type) => {
      const known = codecs.get(type);
      if (known !== undefined) return known;
      const codec = createCodec(describer(find(type)));
      codecs.set(type, codec);
      return codec;
    },
  };
}

function isOwn(name: string): boolean {
  return !name.startsWith('google.protobuf.');
}

function typesIn(space: protobuf.NamespaceBase): protobuf.Type[] {
  return space.nestedArray.flatMap((each) => {
    const self = each instanceof protobuf.Type ? [each] : [];
    return each instanceof protobuf.Namespace || each instanceof protobuf.Type ? [...self, ...typesIn(each)] : self;
  });
}

function findProtos(dir: string): string[] {
  const entries = readdirSync(dir, { recursive: true, withFileTypes: true });
  const inside = (path: string) => relative(dir, path).split(sep);
  return entries
    .filter((entry) => entry.isFile() && entry.name.endsWith('.proto'))
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => !inside(path).includes('node_modules'));
}

/** The name that an import would use. */
function nameIn(roots: readonly string[], file: string): string {
  const names = roots.map((root) => relative(root, file)).filter((name) => !name.startsWith('..'));
  const shortest = names.sort((a, b) => a.length - b.length)[0] ?? file;
  return shortest.split(sep).join('/');
}

function shown(path: string): string {
  const near = relative(process.cwd(), path);
  return near === '' || near.startsWith('..') ? path : near;
}
