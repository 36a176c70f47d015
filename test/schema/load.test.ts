import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect, it } from 'vitest';
import { loadSchemas } from '../../src/schema/load.ts';
import { typesText } from '../../src/schema/types.ts';

function folder(files: Record<string, string>): string {
  const dir = mkdtempSync(join(tmpdir(), 'sluice-load-'));
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(dir, name)), { recursive: true });
    writeFileSync(join(dir, name), text);
  }
  return dir;
}

const HEAD = 'syntax = "proto3";\npackage a;\n';

it.each([
  ['a syntax error', { 'x.proto': `${HEAD}message X {\n  string = 1;\n}` }, /x\.proto:4: /],
  ['a missing import', { 'x.proto': `${HEAD}import "y.proto";\n` }, /x\.proto:3: import "y\.proto" is not found/],
  ['proto2', { 'x.proto': 'syntax = "proto2";\nmessage X {}' }, /x\.proto:1: only proto3/],
  [
    'an unknown type',
    { 'x.proto': `${HEAD}message X { Y y = 1; }` },
    /x\.proto:3: a\.X\.y: no message or enum Y is known/,
  ],
  ['a type defined twice', { 'x.proto': `${HEAD}message X {}`, 'y.proto': `${HEAD}message X {}` }, /y\.proto.*X/],
])('says where %s is', (_name, files, message) => {
  expect(() => loadSchemas([folder(files)])).toThrow(message);
});

it('reads what is imported, beside, under another folder, and of Google', () => {
  const shared = folder({ 'acme/shared.proto': 'syntax = "proto3";\npackage acme;\nmessage S { int64 n = 1; }' });
  const own = folder({
    'x.proto': `${HEAD}import "acme/shared.proto";\nimport "google/protobuf/timestamp.proto";\nmessage X { acme.S s = 1; google.protobuf.Timestamp at = 2; }`,
  });
  const schemas = loadSchemas([own, shared, join(own, 'missing')]);
  expect(schemas.codec('a.X').toJson({ s: { n: 5n } })).toEqual({ s: { n: '5' } });
});

it('suggests the type that was meant', () => {
  const schemas = loadSchemas([folder({ 'x.proto': `${HEAD}message SendWelcome {}` })]);
  expect(() => schemas.codec('a.SendWelcom')).toThrow(
    'no .proto file defines the message a.SendWelcom; did you mean a.SendWelcome?',
  );
});

it('writes types for messages that contain themselves, maps, enums and 64-bit integers', () => {
  const text = `${HEAD}enum E { E_UNKNOWN = 0; E_ONE = 1; }\nmessage X { X next = 1; map<string, uint64> m = 2; repeated E es = 3; optional bytes b = 4; oneof o { bool p = 5; } }`;
  const types = typesText(loadSchemas([folder({ 'x.proto': text })]));
  expect(types).toContain("next?: Messages['a.X'];");
  expect(types).toContain('m: { [key: string]: bigint };');
  expect(types).toContain("es: ('E_UNKNOWN' | 'E_ONE')[];");
  expect(types).toContain('b?: Uint8Array;');
  expect(types).toContain('p?: boolean;');
});
