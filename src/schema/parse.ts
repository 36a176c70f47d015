/**
 * Reads .proto files into protobufjs's reflection, with all that they import. A file is read once by whatever name it
 * is imported. What cannot be used is a SluiceError SCHEMA that begins with its file and, where known, its line.
 */
import { existsSync, readFileSync, realpathSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';
import protobuf from 'protobufjs';
import { messageOf, SluiceError } from '../errors.ts';

/** Of Google's files, those that protobufjs ships but does not know by name: custom options need them. */
const SHIPPED = /^google\/(?:protobuf\/(?:descriptor|api|type|source_context)|api\/(?:annotations|http))\.proto$/;

/** protobufjs keeps the name with each type and field, for errors that show later; its types do not tell. */
const parser = protobuf.parse as typeof protobuf.parse & { filename: string | null };

type Namespaces = Record<string, protobuf.AnyNestedObject>;

export interface Parsing {
  readonly root: protobuf.Root;
  /** Folders that imports are looked up in; the last one is the package's own. */
  readonly folders: readonly string[];
  /** Real paths, and the names of what is built in. */
  readonly parsed: Set<string>;
}

export function parseFile(file: string, parsing: Parsing): void {
  const builtIn = builtInName(file);
  if (addOfGoogle(builtIn ?? '', parsing) || isParsed(builtIn ?? realpathSync(file), parsing)) return;
  const text = readFileSync(file, 'utf8');
  requireSyntax(file, text);
  const { imports = [], weakImports = [] } = parseText(file, text, parsing.root);
  for (const imported of [...imports, ...weakImports]) importFile(file, text, imported, parsing);
}

/** Fails with the first field whose type is not found. */
export function resolveAll(root: protobuf.Root): void {
  try {
    root.resolveAll();
  } catch (error) {
    for (const type of typesIn(root)) for (const field of type.fieldsArray) requireResolved(field);
    throw new SluiceError('SCHEMA', `the .proto files do not fit together: ${messageOf(error)}`, { cause: error });
  }
}

export function typesIn(space: protobuf.NamespaceBase): protobuf.Type[] {
  return space.nestedArray.flatMap((each) => {
    const self = each instanceof protobuf.Type ? [each] : [];
    return each instanceof protobuf.Namespace || each instanceof protobuf.Type ? [...self, ...typesIn(each)] : self;
  });
}

export function shown(path: string): string {
  const near = relative(process.cwd(), path);
  return near === '' || near.startsWith('..') ? path : near;
}

function isParsed(name: string, { parsed }: Parsing): boolean {
  const isKnown = parsed.has(name);
  parsed.add(name);
  return isKnown;
}

/** Copies of Google's own files and of the envelope, wherever they lie, give way to those that are built in. */
function builtInName(file: string): string | undefined {
  return /[\\/](google[\\/]protobuf[\\/]\w+\.proto|sluice[\\/]v1[\\/]job\.proto)$/
    .exec(file)?.[1]
    ?.replaceAll('\\', '/');
}

/** Answers whether the name is one of Google's. */
function addOfGoogle(name: string, parsing: Parsing): boolean {
  const wellKnown = name.startsWith('google/protobuf/')
    ? (protobuf.common.get(name) as { nested?: object } | null)
    : null;
  if (!wellKnown && !SHIPPED.test(name)) return false;
  if (isParsed(name, parsing)) return true;
  const { nested } = wellKnown ?? shipped(name);
  if (name === 'google/api/annotations.proto')
    for (const needed of ['google/api/http.proto', 'google/protobuf/descriptor.proto']) addOfGoogle(needed, parsing);
  parsing.root.addJSON(nested as Namespaces);
  return true;
}

function shipped(name: string): { nested?: object } {
  return createRequire(import.meta.url)(`protobufjs/${name.replace(/proto$/, 'json')}`) as { nested?: object };
}

function requireSyntax(file: string, text: string): void {
  if (/^\s*(?:syntax\s*=\s*["']proto3["']|edition\s*=)/m.test(text)) return;
  const advice = 'only proto3 and editions are supported; begin with: syntax = "proto3";';
  throw new SluiceError('SCHEMA', `${shown(file)}:1: ${advice}`);
}

function parseText(file: string, text: string, root: protobuf.Root): protobuf.IParserResult {
  try {
    parser.filename = file;
    return protobuf.parse(text, root, { keepCase: true, alternateCommentMode: true });
  } catch (error) {
    throw new SluiceError('SCHEMA', explained(file, text, messageOf(error), root), { cause: error });
  } finally {
    parser.filename = null;
  }
}

function explained(file: string, text: string, message: string, root: protobuf.Root): string {
  const line = /[(\s]line (\d+)\)/.exec(message)?.[1];
  if (line !== undefined) return `${shown(file)}:${line}: ${message.replace(/\s*\([^()]*line \d+\)/, '')}`;
  const [, name = '', space = ''] = /^duplicate name '(\w+)' in \w+ ?([\w.]*)/.exec(message) ?? [];
  const earlier = name === '' ? null : root.lookup(`${space}.${name}`.replace(/^\.+/, ''))?.filename;
  const other = earlier && earlier !== file ? `; the other one is in ${shown(earlier)}` : '';
  return `${shown(file)}${lineOf(text, new RegExp(`\\b(?:message|enum|service)\\s+${name}\\b`))}: ${message}${other}`;
}

function lineOf(text: string, what: RegExp): string {
  const at = text.search(what);
  return at < 0 ? '' : `:${text.slice(0, at).split('\n').length}`;
}

function importFile(from: string, text: string, name: string, parsing: Parsing): void {
  const { folders } = parsing;
  const file = [...folders, dirname(from)].map((dir) => join(dir, name)).find((path) => existsSync(path));
  if (file !== undefined) parseFile(file, parsing);
  else if (!addOfGoogle(name, parsing)) {
    const line = text.slice(0, text.indexOf(name)).split('\n').length;
    const looked = folders.slice(0, -1).map(shown).join(', ');
    throw new SluiceError('SCHEMA', `${shown(from)}:${line}: import "${name}" is not found; looked under ${looked}`);
  }
}

function requireResolved(field: protobuf.Field): void {
  try {
    field.resolve();
  } catch (error) {
    const { filename, name, id, type } = field;
    const text = filename ? readFileSync(filename, 'utf8') : '';
    const line = lineOf(text, new RegExp(`\\b${name}\\s*=\\s*${id}\\b`));
    const place = filename ? `${shown(filename)}${line}: ` : '';
    throw new SluiceError(
      'SCHEMA',
      `${place}${field.fullName.slice(1)}: no message or enum ${type} is known here; is its import missing?`,
      { cause: error },
    );
  }
}
