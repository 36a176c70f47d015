/**
 * Finds and reads .proto files: every one under the given folders, the envelope of this package, and Google's
 * well-known types. A file that cannot be used stops the start, with its place.
 */
import { existsSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import protobuf from 'protobufjs';
import { SluiceError } from '../errors.ts';
import { filesUnder } from '../files-under.ts';
import { didYouMean } from '../suggest.ts';
import { createCodec } from './codec.ts';
import { createDescriber, type MessageInfo } from './descriptor.ts';
import { parseFile, resolveAll, shown, typesIn } from './parse.ts';
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
  const folders = dirs.map((dir) => resolve(dir)).filter((dir) => existsSync(dir));
  const files = [...new Set(folders.flatMap(findProtos))].sort();
  const root = new protobuf.Root();
  const parsing = { root, folders: [...folders, OWN_PROTO], parsed: new Set<string>() };
  for (const file of [join(OWN_PROTO, ENVELOPE), ...files]) parseFile(file, parsing);
  resolveAll(root);
  return schemasOf(root, files);
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

function findProtos(dir: string): string[] {
  if (!statSync(dir).isDirectory()) throw new SluiceError('SCHEMA', `${shown(dir)}: is not a folder`);
  return filesUnder(dir).filter((file) => file.endsWith('.proto'));
}
