import { describe, expect, it } from 'vitest';
import { createRandom } from '../../src/faults/random.ts';
import { reference, schemas } from './protos.ts';

const all = schemas.codec('t.All');
const known = schemas.codec('t.Known');

describe('strict at the edges', () => {
  it.each([
    [{ i33: 1 }, /^i33: t\.All has no such field; did you mean "i32"\?/],
    [{ inner: { txt: 'x' } }, /^inner\.txt: t\.Inner has no such field; did you mean "text"\?/],
    [{ inners: [{}, { text: 5 }] }, /^inners\[1\]\.text: the number 5 is not allowed; allowed: a string$/],
    [{ i32: 2 ** 31 }, /^i32: the number 2147483648 is not allowed; allowed: a signed 32-bit integer$/],
    [{ i32: -(2 ** 31) - 1 }, /signed 32-bit/],
    [{ u32: -1 }, /^u32: the number -1 .* unsigned 32-bit/],
    [{ u64: '18446744073709551616' }, /^u64: .* unsigned 64-bit/],
    [{ u64: '-1' }, /^u64: /],
    [{ i64: 2 ** 53 }, /^i64: the number 9007199254740992 is not allowed/],
    [{ i64: '9223372036854775808' }, /^i64: /],
    [{ i32: 1.5 }, /^i32: the number 1\.5/],
    [{ i32: '1e3' }, /^i32: the string "1e3"/],
    [{ b: 'true' }, /^b: the string "true" is not allowed; allowed: true or false$/],
    [{ b: 1 }, /^b: the number 1/],
    [{ s: 5 }, /^s: the number 5/],
    [{ s: '\ud800' }, /lone surrogates/],
    [{ by: '***' }, /^by: .* base64/],
    [{ d: 'abc' }, /^d: the string "abc"/],
    [{ f: 1e39 }, /^f: .* 32-bit float/],
    [
      { color: 'GREEN' },
      /^color: the string "GREEN" is not allowed; allowed: one of COLOR_UNSPECIFIED, RED, BLUE, NEGATIVE/,
    ],
    [{ color: 'BLU' }, /did you mean "BLUE"/],
    [{ packed: 5 }, /^packed: the number 5 is not allowed; allowed: an array$/],
    [{ packed: [1, null] }, /^packed\[1\]: null is not allowed/],
    [{ counts: { a: 'x' } }, /^counts\["a"\]: the string "x"/],
    [{ byNumber: { x: {} } }, /^byNumber\["x"\]: the string "x"/],
    [{ byFlag: { yes: 'x' } }, /"true" or "false" as the key/],
    [{ left: 'a', right: 1 }, /^right: "left" is set too; of the oneof choice one member is allowed$/],
    [{ byNumber: {}, by_number: {} }, /^by_number: the same field as "byNumber"/],
    [[], /^the message: an array is not allowed; allowed: an object of t\.All$/],
    [null, /^the message: null/],
    ['text', /^the message: the string "text"/],
    [{ inner: new Date(0) }, /^inner: a Date is not allowed; allowed: an object of t\.Inner$/],
    [{ inner: Promise.resolve() }, /^inner: a Promise/],
    [new Map(), /^the message: a Map/],
    [{ counts: new Date(0) }, /^counts: a Date is not allowed; allowed: an object$/],
    [{ d: '0x10' }, /^d: the string "0x10"/],
    [{ d: ' 1' }, /^d: the string " 1"/],
    [{ color: 2 ** 31 }, /^color: the number 2147483648/],
    [{ by: 'abcde' }, /^by: .* base64/],
  ])('refuses %j', (value, message) => {
    expect(() => all.toJson(value)).toThrow(message);
    expect(() => all.fromJson(value)).toThrow(message);
    expect(() => all.encode(value)).toThrow(message);
  });

  it.each([
    [{ at: '2026-02-30T00:00:00Z' }, /^at: .* RFC 3339/],
    [{ at: 5 }, /^at: the number 5/],
    [{ at: new Date(Number.NaN) }, /^at: an invalid Date/],
    [{ at: '2026-01-31T24:00:00Z' }, /^at: .* RFC 3339/],
    [{ at: '2026-01-31T12:00:00' }, /^at: .* RFC 3339/],
    [{ at: '0000-12-31T23:59:59Z' }, /^at: .* RFC 3339/],
    [{ took: '315576000001s' }, /^took: /],
    [{ anyValue: Number.NaN }, /^anyValue: the number NaN is not allowed; allowed: any JSON value$/],
    [{ anyObject: { a: () => 1 } }, /^anyObject\S*a\S*: a function/],
    [{ mask: 'a b' }, /^mask: /],
    [{ took: '5' }, /^took: .* "1\.5s"/],
    [{ anyObject: [] }, /^anyObject: an array is not allowed; allowed: an object$/],
    [{ big: '1.5' }, /^big: the string "1\.5"/],
    [{ flag: 'x' }, /^flag: /],
  ])('refuses %j of well-known types', (value, message) => {
    expect(() => known.fromJson(value)).toThrow(message);
  });

  it('stops at a depth that no stack survives', () => {
    let deep: object = {};
    for (let i = 0; i < 5_000; i++) deep = { child: deep };
    expect(() => schemas.codec('t.Inner').toJson(deep)).toThrow(/at most 100 levels/);
  });

  it('cuts names that are as long as a record', () => {
    const refused = () => all.toJson({ ['x'.repeat(500_000)]: 1 });
    expect(refused).toThrow(/^x{40}\.\.\.: t\.All has no such field/);
  });

  it('says that text is not JSON', () => {
    expect(() => all.canonicalJson('{"i32":')).toThrow(/^not JSON: /);
  });
});

describe('what a worker gets', () => {
  it('has every default filled in, and nothing for what was not set', () => {
    const message = all.fromJson({}) as Record<string, unknown>;
    expect(message).toMatchObject({
      d: 0,
      i64: 0n,
      b: false,
      s: '',
      color: 'COLOR_UNSPECIFIED',
      packed: [],
      counts: {},
    });
    expect(message.by).toEqual(new Uint8Array());
    expect(Object.keys(message)).not.toEqual(expect.arrayContaining(['inner', 'left', 'maybe']));
  });

  it('keeps 64-bit integers whole, everywhere', () => {
    const value = {
      i64: -9223372036854775808n,
      u64: 18446744073709551615n,
      s64: 9007199254740993n,
      f64: 18446744073709551615n,
      sf64: -9007199254740993n,
      packedBig: [9007199254740993n, -1n, -9223372036854775808n],
      counts: { a: 9007199254740993n },
      byNumber: { '9007199254740993': { text: 'x', big: 1n } },
    };
    expect(all.decode(all.encode(value))).toMatchObject(value);
  });

  it('is not confused by fields that are called as what every object has', () => {
    const odd = schemas.codec('t.Odd');
    const empty = { constructor: '', toString: '', valueOf: 0, hasOwnProperty: [] };
    expect(odd.encode({})).toHaveLength(0);
    expect(odd.fromJson({})).toEqual(empty);
    expect(odd.decode(odd.encode({ constructor: 'x', valueOf: 1 }))).toEqual({
      ...empty,
      constructor: 'x',
      valueOf: 1,
    });
  });

  it('keeps presence of optional fields and of members of a oneof, also at their defaults', () => {
    expect(all.decode(all.encode({ maybe: 0, perhaps: '', right: 0 }))).toMatchObject({
      maybe: 0,
      perhaps: '',
      right: 0,
    });
    expect(all.toJson({ maybe: 0, i32: 0 })).toEqual({ maybe: 0 });
  });

  it('takes and gives well-known types in their own JSON', () => {
    const json = {
      at: '2026-01-31T12:00:00.123456789Z',
      took: '-1.500s',
      anyObject: { a: [1, 'x', null, { b: true }] },
      anyValue: null,
      anyList: [1, [2]],
      big: '9007199254740993',
      text: '',
      flag: false,
      mask: 'userName,address.zip',
      raw: 'AAE=',
      times: ['1969-12-31T23:59:59.900Z'],
    };
    const bytes = known.encode(json);
    expect(JSON.parse(known.decodeToJson(bytes).json)).toEqual(json);
    expect(known.decode(bytes)).toEqual({ ...json, big: 9007199254740993n, raw: new Uint8Array([0, 1]) });
    expect(known.toJson({ at: new Date(0) })).toEqual({ at: '1970-01-01T00:00:00Z' });
  });
});

describe('tolerant in binary', () => {
  it('passes unknown fields and open enum values, and counts them', () => {
    const bytes = Buffer.concat([
      all.encode({ i32: 1, color: 99 }),
      Buffer.from([0xf8, 0x3f, 0x05]),
      Buffer.from([0xfb, 0x3f, 0xfc, 0x3f]),
    ]);
    expect(all.decodeToJson(bytes)).toEqual({ json: '{"i32":1,"color":99}', drift: 3 });
    expect(all.decode(all.encode({ color: 99 }))).toMatchObject({ color: 99 });
  });

  it('keeps the last of a field given twice, merges messages, and lets the last member of a oneof win', () => {
    const bytes = Buffer.concat([
      all.encode({ i32: 1, inner: { text: 'a' }, left: 'x' }),
      all.encode({ i32: 2, inner: { big: 5n }, right: 7 }),
    ]);
    expect(JSON.parse(all.decodeToJson(bytes).json)).toEqual({ i32: 2, inner: { text: 'a', big: '5' }, right: 7 });
  });

  it('takes packed and unpacked elements alike', () => {
    expect(JSON.parse(all.decodeToJson(Buffer.from([0x90, 0x01, 0x05, 0x92, 0x01, 0x02, 0x06, 0x07])).json)).toEqual({
      packed: [5, 6, 7],
    });
  });

  it.each([1, 2, 3, 4])('answers garbage with INVALID_MESSAGE or a message, never otherwise (seed %i)', (seed) => {
    const random = createRandom(seed);
    const good = all.encode(randomMessage(random));
    for (let i = 0; i < 2_000; i++) {
      const bytes = Buffer.from(good);
      for (let hits = 0; hits < 3; hits++) bytes[Math.floor(random() * bytes.length)] = Math.floor(random() * 256);
      const cut = bytes.subarray(0, Math.floor(random() * (bytes.length + 1)));
      try {
        JSON.parse(all.decodeToJson(cut).json);
      } catch (error) {
        expect(error).toMatchObject({ code: 'INVALID_MESSAGE' });
      }
    }
  });

  it('stops at a depth that no stack survives', () => {
    let bytes = Buffer.alloc(0);
    for (let i = 0; i < 300; i++) bytes = Buffer.concat([Buffer.from([0x1a]), lengthOf(bytes), bytes]);
    expect(() => schemas.codec('t.Inner').decodeToJson(bytes)).toThrow(/deeper than 100/);
  });

  it('merges a message given twice at each of many levels without doubling the work', () => {
    let bytes = Buffer.alloc(0);
    for (let i = 0; i < 60; i++) bytes = Buffer.concat([child(bytes), child(Buffer.alloc(0))]);
    const { json } = schemas.codec('t.Inner').decodeToJson(bytes);
    expect(json).toBe(`${'{"child":'.repeat(60)}{}${'}'.repeat(60)}`);
  });

  it('merges a message given many times in a time that grows with its bytes', () => {
    const text = Buffer.from([0x0a, 0x0a, ...Buffer.from('0123456789')]);
    const bytes = Buffer.concat(Array.from({ length: 70_000 }, () => child(text)));
    expect(schemas.codec('t.Inner').decodeToJson(bytes).json).toBe('{"child":{"text":"0123456789"}}');
  });

  it('does not make one whole message of two broken ones', () => {
    const bytes = Buffer.concat([child(Buffer.from([0x0a, 0x03, 0x41])), child(Buffer.from([0x42, 0x43]))]);
    expect(() => schemas.codec('t.Inner').decodeToJson(bytes)).toThrow(/end within a field/);
  });

  it.each([
    ['a length beyond 32 bits', [0x0a, 0x81, 0x80, 0x80, 0x80, 0x10, 0x41], /beyond 32 bits/],
    ['a length beyond the bytes', [0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f], /end within a field/],
    ['a number that never ends', [0x10, ...new Array<number>(11).fill(0x80)], /longer than ten bytes/],
    ['a field with number 0', [0x00, 0x00], /field number of 0/],
    ['another wire type than the schema has', [0x08, 0x01], /"text" has wire type 0 instead of 2/],
  ])('refuses %s', (_name, bytes, message) => {
    expect(() => schemas.codec('t.Inner').decodeToJson(Buffer.from(bytes))).toThrow(message);
  });

  it.each([
    ['at', { seconds: 1, nanos: 2_000_000_000 }],
    ['at', { seconds: 1, nanos: -5 }],
    ['at', { seconds: 253_402_300_800 }],
    ['took', { seconds: 1, nanos: -5 }],
    ['took', { seconds: 1, nanos: 1_000_000_000 }],
    ['took', { seconds: 315_576_000_001 }],
    ['anyValue', { numberValue: Number.NaN }],
  ])('refuses %s of %o, which JSON cannot say', (field, value) => {
    const bytes = reference
      .lookupType('t.Known')
      .encode({ [field]: value })
      .finish();
    expect(() => known.decodeToJson(bytes)).toThrow(/not a protobuf message: a google\.protobuf\.\w+ out of its range/);
  });

  it('reads every nesting that the strict side lets out', () => {
    let deep: unknown = 1;
    for (let i = 0; i < 49; i++) deep = { a: deep };
    expect(JSON.parse(known.decodeToJson(known.encode({ anyObject: deep })).json)).toEqual({ anyObject: deep });
  });

  it('refuses a map whose key has the wire type of another', () => {
    expect(() => all.decodeToJson(Buffer.from([0xb2, 0x01, 0x02, 0x08, 0x05]))).toThrow(
      /an entry of "counts" has wire type 0/,
    );
  });
});

describe('against protobufjs as a judge', () => {
  it.each([1, 2, 3, 4, 5])('encodes and decodes as it does (seed %i)', (seed) => {
    const random = createRandom(seed);
    const type = reference.lookupType('t.All');
    for (let i = 0; i < 300; i++) {
      const message = randomMessage(random);
      const bytes = all.encode(message);
      const judged = type.toObject(type.decode(bytes), { longs: String, enums: String, bytes: String });
      expect(JSON.parse(all.decodeToJson(bytes).json)).toEqual(withJsonNumbers(all.toJson(message)));
      expect(all.decodeToJson(type.encode(type.fromObject(judged)).finish()).json).toBe(all.decodeToJson(bytes).json);
    }
  });
});

/** -0 and text for non-numbers survive JSON; nothing else differs. */
function withJsonNumbers(json: unknown): unknown {
  return JSON.parse(JSON.stringify(json));
}

function child(body: Buffer): Buffer {
  return Buffer.concat([Buffer.from([0x1a]), lengthOf(body), body]);
}

function lengthOf(bytes: Buffer): Buffer {
  const digits: number[] = [];
  let rest = bytes.length;
  do {
    digits.push((rest & 0x7f) | (rest > 0x7f ? 0x80 : 0));
    rest >>>= 7;
  } while (rest > 0);
  return Buffer.from(digits);
}

function randomMessage(random: () => number): Record<string, unknown> {
  const whole = (bits: number, isSigned: boolean) => {
    const raw = BigInt.asUintN(
      bits,
      (BigInt(Math.floor(random() * 2 ** 32)) << 32n) | BigInt(Math.floor(random() * 2 ** 32)),
    );
    return isSigned ? BigInt.asIntN(bits, raw) : raw;
  };
  const some = <T>(make: () => T): T[] => Array.from({ length: Math.floor(random() * 4) }, make);
  const text = () => some(() => String.fromCodePoint(32 + Math.floor(random() * 900))).join('');
  const inner = () => ({ text: text(), big: whole(64, true) });
  const candidates: Record<string, () => unknown> = {
    d: () => (random() - 0.5) * 1e10,
    f: () => Math.fround(random() * 1000),
    i32: () => Number(whole(32, true)),
    i64: () => whole(64, true),
    u32: () => Number(whole(32, false)),
    u64: () => whole(64, false),
    s32: () => Number(whole(32, true)),
    s64: () => whole(64, true),
    f32: () => Number(whole(32, false)),
    f64: () => whole(64, false),
    sf32: () => Number(whole(32, true)),
    sf64: () => whole(64, true),
    b: () => random() > 0.5,
    s: text,
    by: () => new Uint8Array(some(() => Math.floor(random() * 256))),
    color: () => ['COLOR_UNSPECIFIED', 'RED', 'BLUE', 'NEGATIVE'][Math.floor(random() * 4)],
    inner,
    packed: () => some(() => Number(whole(32, true))),
    names: () => some(text),
    inners: () => some(inner),
    colors: () => some(() => 'RED'),
    counts: () => Object.fromEntries(some(() => [text(), whole(64, true)])),
    byNumber: () => Object.fromEntries(some(() => [String(whole(64, true)), inner()])),
    byFlag: () => ({ true: text() }),
    maybe: () => Number(whole(32, true)),
    packedBig: () => some(() => whole(64, true)),
    doubles: () => some(random),
    ...(random() > 0.5 ? { left: text } : { right: () => Number(whole(32, true)) }),
  };
  return Object.fromEntries(
    Object.entries(candidates).flatMap(([name, make]) => (random() > 0.4 ? [[name, make()]] : [])),
  );
}
