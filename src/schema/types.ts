/**
 * Writes the TypeScript types of all messages: declarations only, no code, merged into the package's `Messages`.
 * The same files give the same text, so that `--check` can compare.
 */
import type { FieldInfo, MessageInfo, ScalarType, ValueType } from './descriptor.ts';
import type { LoadedSchemas } from './load.ts';
import { wellKnown } from './well-known.ts';

const HEAD = `// Written by \`sluice types\` from the .proto files; changes are overwritten.
import 'sluice';

declare module 'sluice' {
  interface Messages {
`;

export function typesText(schemas: LoadedSchemas): string {
  const own = schemas.types().filter((name) => !name.startsWith('google.protobuf.') && !name.startsWith('sluice.v1.'));
  const members = own.map((name) => `    '${name}': ${messageType(schemas.describe(name), '    ', new Set())};\n`);
  return `${HEAD}${members.join('')}  }\n}\n`;
}

function messageType(message: MessageInfo, indent: string, outer: ReadonlySet<MessageInfo>): string {
  const special = specialType(message.fullName);
  if (special !== undefined) return special;
  if (outer.has(message)) return `Messages['${message.fullName}']`;
  if (message.fields.length === 0) return 'Record<string, never>';
  const inside = new Set([...outer, message]);
  const fields = message.fields.map(
    (field) => `${indent}  ${member(field)}: ${fieldType(field, `${indent}  `, inside)};\n`,
  );
  return `{\n${fields.join('')}${indent}}`;
}

function member({ jsonName, hasPresence }: FieldInfo): string {
  const name = /^[A-Za-z_$][\w$]*$/.test(jsonName) ? jsonName : JSON.stringify(jsonName);
  return hasPresence ? `${name}?` : name;
}

function fieldType({ shape, type }: FieldInfo, indent: string, outer: ReadonlySet<MessageInfo>): string {
  const value = valueType(type, indent, outer);
  if (shape === 'repeated') return value.includes(' | ') ? `(${value})[]` : `${value}[]`;
  if (shape === 'map') return `{ [key: string]: ${value} }`;
  return value;
}

function valueType(type: ValueType, indent: string, outer: ReadonlySet<MessageInfo>): string {
  if (type.kind === 'message') return messageType(type.message, indent, outer);
  if (type.kind === 'scalar') return scalarType(type.scalar);
  if (type.enum.fullName === 'google.protobuf.NullValue') return 'null';
  return [...new Set(type.enum.byNumber.values())].map((name) => `'${name}'`).join(' | ');
}

function scalarType(type: ScalarType): string {
  if (type === 'string') return 'string';
  if (type === 'bool') return 'boolean';
  if (type === 'bytes') return 'Uint8Array';
  return type.endsWith('64') ? 'bigint' : 'number';
}

const WRAPPED: Readonly<Record<string, string>> = {
  Int64Value: 'bigint',
  UInt64Value: 'bigint',
  BoolValue: 'boolean',
  StringValue: 'string',
  BytesValue: 'Uint8Array',
  Struct: '{ [key: string]: unknown }',
  ListValue: 'unknown[]',
  Value: 'unknown',
  Timestamp: 'string',
  Duration: 'string',
  FieldMask: 'string',
};

function specialType(fullName: string): string | undefined {
  if (wellKnown(fullName) === undefined) return undefined;
  return WRAPPED[fullName.slice('google.protobuf.'.length)] ?? 'number';
}
