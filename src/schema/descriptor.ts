/** Message types as plain tables, made once from protobufjs's reflection: all that the codec looks at. */
import protobuf from 'protobufjs';
import { SluiceError } from '../errors.ts';

export const INTEGER_BITS = {
  int32: 32,
  sint32: 32,
  sfixed32: 32,
  uint32: 32,
  fixed32: 32,
  int64: 64,
  sint64: 64,
  sfixed64: 64,
  uint64: 64,
  fixed64: 64,
} as const;

export type IntegerType = keyof typeof INTEGER_BITS;
export type ScalarType = IntegerType | 'double' | 'float' | 'bool' | 'string' | 'bytes';

export interface EnumInfo {
  readonly fullName: string;
  readonly byName: ReadonlyMap<string, number>;
  /** The first name of each number. */
  readonly byNumber: ReadonlyMap<number, string>;
}

export type ValueType =
  | { readonly kind: 'scalar'; readonly scalar: ScalarType }
  | { readonly kind: 'enum'; readonly enum: EnumInfo }
  | { readonly kind: 'message'; readonly message: MessageInfo };

export interface FieldInfo {
  readonly id: number;
  /** As in the .proto file. */
  readonly name: string;
  /** As in proto3 JSON. */
  readonly jsonName: string;
  readonly shape: 'singular' | 'repeated' | 'map';
  /** Set and unset are told apart: `optional`, members of a oneof, messages. */
  readonly hasPresence: boolean;
  readonly isPacked: boolean;
  readonly oneof: string | undefined;
  /** Type of a map's keys. */
  readonly keyType: ScalarType | undefined;
  /** Type of the value, of an element, or of a map's values. */
  readonly type: ValueType;
}

export interface MessageInfo {
  readonly fullName: string;
  readonly fields: readonly FieldInfo[];
  readonly byId: ReadonlyMap<number, FieldInfo>;
  /** By JSON name and by the name in the .proto file. */
  readonly byName: ReadonlyMap<string, FieldInfo>;
}

/** Describes message types on demand; types that contain themselves are fine. */
export function createDescriber(): (type: protobuf.Type) => MessageInfo {
  const messages = new Map<protobuf.Type, MessageInfo>();
  const enums = new Map<protobuf.Enum, EnumInfo>();

  function describeMessage(type: protobuf.Type): MessageInfo {
    const known = messages.get(type);
    if (known !== undefined) return known;
    const fields: FieldInfo[] = [];
    const byId = new Map<number, FieldInfo>();
    const byName = new Map<string, FieldInfo>();
    const message: MessageInfo = { fullName: type.fullName.slice(1), fields, byId, byName };
    messages.set(type, message);
    for (const field of type.fieldsArray) {
      const info = describeField(field.resolve());
      requireOwnName(type, info, byName);
      fields.push(info);
      byId.set(info.id, info);
      byName.set(info.name, info).set(info.jsonName, info);
    }
    fields.sort((a, b) => a.id - b.id);
    return message;
  }

  function describeField(field: protobuf.Field): FieldInfo {
    const shape = field.map ? 'map' : field.repeated ? 'repeated' : 'singular';
    const isSynthetic = field.options?.proto3_optional === true;
    return {
      id: field.id,
      name: field.name,
      jsonName: (field.options?.json_name as string | undefined) ?? toJsonName(field.name),
      shape,
      hasPresence:
        shape === 'singular' &&
        (field.partOf !== null || field.hasPresence || field.resolvedType instanceof protobuf.Type),
      isPacked: field.packed,
      oneof: field.partOf !== null && !isSynthetic ? field.partOf.name : undefined,
      keyType: field instanceof protobuf.MapField ? (field.keyType as ScalarType) : undefined,
      type: describeType(field),
    };
  }

  function describeType(field: protobuf.Field): ValueType {
    const { resolvedType } = field;
    if (resolvedType instanceof protobuf.Enum) return { kind: 'enum', enum: describeEnum(resolvedType) };
    if (resolvedType instanceof protobuf.Type) return { kind: 'message', message: describeMessage(resolvedType) };
    if (field.type === 'group' || field.delimited)
      throw new SluiceError('SCHEMA', `${field.fullName.slice(1)}: groups are not supported`);
    return { kind: 'scalar', scalar: field.type as ScalarType };
  }

  function describeEnum(type: protobuf.Enum): EnumInfo {
    const known = enums.get(type);
    if (known !== undefined) return known;
    const byNumber = new Map<number, string>();
    for (const [name, number] of Object.entries(type.values)) if (!byNumber.has(number)) byNumber.set(number, name);
    const info = { fullName: type.fullName.slice(1), byName: new Map(Object.entries(type.values)), byNumber };
    enums.set(type, info);
    return info;
  }

  return describeMessage;
}

/** Two fields of one JSON name would take each other's values; protoc refuses them too. */
function requireOwnName({ fullName }: protobuf.Type, field: FieldInfo, taken: ReadonlyMap<string, FieldInfo>): void {
  const twin = taken.get(field.jsonName) ?? taken.get(field.name);
  if (twin === undefined && field.jsonName !== '__proto__') return;
  const why = twin === undefined ? 'cannot be a name in JSON' : `has the JSON name of ${twin.name}, ${field.jsonName}`;
  throw new SluiceError('SCHEMA', `${fullName.slice(1)}: the field ${field.name} ${why}; rename it`);
}

/** protoc's rule: underscores go, and the letter after each is raised. */
export function toJsonName(name: string): string {
  return name.replace(/_+([a-z0-9])?/gi, (_all, letter: string | undefined) => (letter ?? '').toUpperCase());
}
