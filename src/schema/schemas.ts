/** The message types that a process knows, and what can be done with a message of each. */

/** Any JSON value. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json };

export interface Decoded {
  /** proto3 JSON text, 64-bit integers as strings. */
  readonly json: string;
  /** Unknown field numbers and open enum values that were met. */
  readonly drift: number;
}

/** All errors are SluiceError INVALID_MESSAGE and name the field path, the value's kind and what is allowed. */
export interface Codec {
  readonly type: string;
  /** JSON names of the fields, in the order of their numbers. */
  readonly fields: readonly string[];
  /** Hot path: binary to proto3 JSON text. Tolerant of unknown fields and open enum values. */
  decodeToJson(bytes: Uint8Array): Decoded;
  /** Strict proto3 JSON (already parsed) to the TypeScript message: bigint, Uint8Array, enum names, defaults filled in. */
  fromJson(json: unknown): unknown;
  /** A TypeScript message (partial: defaults may be absent) to canonical proto3 JSON. Strict. */
  toJson(message: unknown): Json;
  /** A TypeScript message to binary. Strict. */
  encode(message: unknown): Uint8Array;
  /** Binary to the TypeScript message. Tolerant. */
  decode(bytes: Uint8Array): unknown;
  /** Strict check of JSON text from an edge, and its canonical form. */
  canonicalJson(text: string): string;
}

export interface Schemas {
  has(type: string): boolean;
  /** Full names of all message types, sorted. */
  types(): readonly string[];
  /** Throws SluiceError SCHEMA with a "did you mean" for an unknown type. */
  codec(type: string): Codec;
}
