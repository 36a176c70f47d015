/** A message with every kind of field, for the codec's tests. */
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import protobuf from 'protobufjs';
import { loadSchemas } from '../../src/schema/load.ts';

const TEXT = `syntax = "proto3";
package t;
import "google/protobuf/timestamp.proto";
import "google/protobuf/duration.proto";
import "google/protobuf/struct.proto";
import "google/protobuf/wrappers.proto";
import "google/protobuf/field_mask.proto";

enum Color { COLOR_UNSPECIFIED = 0; RED = 1; BLUE = 2; NEGATIVE = -3; }

message Inner { string text = 1; int64 big = 2; Inner child = 3; }

message Odd {
  string constructor = 1; string to_string = 2; int32 value_of = 3; repeated string has_own_property = 4;
}

message All {
  double d = 1; float f = 2; int32 i32 = 3; int64 i64 = 4; uint32 u32 = 5; uint64 u64 = 6;
  sint32 s32 = 7; sint64 s64 = 8; fixed32 f32 = 9; fixed64 f64 = 10; sfixed32 sf32 = 11; sfixed64 sf64 = 12;
  bool b = 13; string s = 14; bytes by = 15; Color color = 16; Inner inner = 17;
  repeated int32 packed = 18; repeated string names = 19; repeated Inner inners = 20; repeated Color colors = 21;
  map<string, int64> counts = 22; map<int64, Inner> by_number = 23; map<bool, string> by_flag = 24;
  oneof choice { string left = 25; int32 right = 26; Inner middle = 27; }
  optional int32 maybe = 28; optional string perhaps = 29;
  repeated sint64 packed_big = 30; repeated double doubles = 31;
}

message Known {
  google.protobuf.Timestamp at = 1; google.protobuf.Duration took = 2; google.protobuf.Struct any_object = 3;
  google.protobuf.Value any_value = 4; google.protobuf.ListValue any_list = 5; google.protobuf.Int64Value big = 6;
  google.protobuf.StringValue text = 7; google.protobuf.BoolValue flag = 8; google.protobuf.FieldMask mask = 9;
  google.protobuf.BytesValue raw = 10; repeated google.protobuf.Timestamp times = 11;
}
`;

const dir = mkdtempSync(join(tmpdir(), 'sluice-protos-'));
writeFileSync(join(dir, 'all.proto'), TEXT);

export const schemas = loadSchemas([dir]);
/** protobufjs itself, as an independent judge. */
export const reference = protobuf.loadSync(join(dir, 'all.proto'));
