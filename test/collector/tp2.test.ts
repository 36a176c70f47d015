import { expect, it } from 'vitest';
import { batchBody, encodeEvent, FRAME_BYTES } from '../../src/collector/tp2.ts';

const IDENTITY = { eventId: '0fdbc2e9-8a1d-4ee3-a734-a22131121c89', appId: 'shop', namespace: 'ns', now: 1_000_000 };
const encode = (fields: object) => encodeEvent(fields as Record<string, string>, IDENTITY);

function sent(fields: object, now: number): Record<string, string> {
  const { data } = JSON.parse(batchBody([encode(fields)], now)) as { data: Record<string, string>[] };
  return data[0] as Record<string, string>;
}

it('sets what the protocol asks for, and lets the worker override', () => {
  expect(sent({ e: 'pv' }, 1_000_500)).toEqual({
    tv: expect.stringMatching(/^sluice-/),
    p: 'srv',
    aid: 'shop',
    tna: 'ns',
    dtm: '1000000',
    eid: IDENTITY.eventId,
    e: 'pv',
    stm: '1000500',
  });
  expect(sent({ e: 'pv', p: 'web', dtm: '5' }, 0)).toMatchObject({ p: 'web', dtm: '5' });
});

it('is what the worker says, before what is usual, and the time of sending once', () => {
  const all = {
    tv: 't',
    p: 'web',
    aid: 'a',
    tna: 'n',
    dtm: '5',
    eid: IDENTITY.eventId.replace('0', '1'),
    e: 'pv',
    url: 'u',
    uid: 'w',
  };
  expect(JSON.parse(encode({ ...all, stm: '7' }).text)).toEqual(all);
  expect(encode({ e: 'pv', stm: '7' }).text).not.toContain('stm');
});

it('holds what the worker wrote into the fields, and nothing that they inherit', () => {
  class Fields {
    e = 'pv';
    get eid() {
      return '11111111-1111-4111-8111-111111111111';
    }
  }
  expect(sent(new Fields(), 0).eid).toBe(IDENTITY.eventId);
  expect(sent(Object.assign(Object.create({ aid: 5 }), { e: 'pv' }), 0).aid).toBe('shop');
});

it('passes a device time of sending on, with the time that the event waited added', () => {
  expect(sent({ e: 'pv', stm: '400000' }, 1_000_250).stm).toBe('400250');
});

it('counts the bytes that a request will have', () => {
  const events = [encode({ e: 'pv', page: 'Grüße 🫖 "\n' }), encode({ e: 'pv', page: '\ud800' })];
  const bytes = Buffer.byteLength(batchBody(events, 1_769_860_800_500));
  const counted = events.reduce((sum, event) => sum + event.bytes, FRAME_BYTES);
  expect(counted - bytes).toBeGreaterThanOrEqual(0);
  expect(counted - bytes).toBeLessThan(8);
});

it.each([
  [{ e: 'pv', urll: 'x' }, /urll: no field of the tracker protocol; did you mean "url"\?/],
  [{ e: 'pv', cv: 'x' }, /cv: no field/],
  [{ url: 'x' }, /e: undefined is not allowed; allowed: pv, pp, se, ue, tr, ti/],
  [{ e: 'view' }, /e: "view" is not allowed/],
  [{ e: 'pv', url: 5 }, /url: a number is not allowed; allowed: a string/],
  [{ e: 'pv', url: null }, /url: null is not allowed/],
  [{ e: 'pv', co: {} }, /co: an object is not allowed/],
  [{ e: 'pv', url: undefined }, /url: undefined is not allowed/],
  [{ e: 'pv', eid: 'seven' }, /eid: "seven" is not allowed; allowed: a UUID/],
  [{ e: 'pv', dtm: '2026-01-31' }, /dtm: "2026-01-31" is not allowed; allowed: milliseconds/],
  [{ e: 'pv', stm: 'x' }, /stm: "x" is not allowed; allowed: milliseconds/],
  [{ e: 'pv', ttm: '' }, /ttm: "" is not allowed; allowed: milliseconds/],
  [{ e: 'pv', page: 'x'.repeat(1_000_001) }, /bytes are not allowed; allowed: 1000000/],
])('refuses %o', (fields, message) => {
  expect(() => encode(fields)).toThrow(message);
});

it('knows the 80 properties of the schema', () => {
  const all = Object.keys(PROPERTIES).length;
  expect(all).toBe(80);
  expect(() => encode({ ...PROPERTIES, e: 'pv', eid: IDENTITY.eventId, dtm: '1', stm: '1', ttm: '1' })).not.toThrow();
});

/** As the schema lists them. */
const PROPERTIES = Object.fromEntries(
  `tna aid p dtm tz e tid eid tv duid nuid uid vid ip res url page refr fp ctype cookie lang f_pdf f_qt f_realp f_wma
   f_dir f_fla f_java f_gears f_ag cd ds cs vp mac pp_mix pp_max pp_miy pp_may ad_ba ad_ca ad_ad ad_uid tr_id tr_af
   tr_tt tr_tx tr_sh tr_ci tr_st tr_co tr_cu ti_id ti_sk ti_nm ti_na ti_ca ti_pr ti_qu ti_cu sa sn st sp se_ca se_ac
   se_la se_pr se_va ue_na ue_pr ue_px co cx ua tnuid stm sid ttm`
    .split(/\s+/)
    .map((name) => [name, 'x']),
);
