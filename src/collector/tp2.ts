/**
 * The Snowplow Tracker Protocol's batch form (tp2): a self-describing JSON of events, every value text. Pure.
 * Source: the schema payload_data 1-0-4, which knows 80 properties and allows no others.
 */
import type { TrackerFields } from '../definition/worker.ts';
import { SluiceError } from '../errors.ts';
import { suggestion } from '../suggest.ts';

export const PATH = '/com.snowplowanalytics.snowplow/tp2';
const SCHEMA = 'iglu:com.snowplowanalytics.snowplow/payload_data/jsonschema/1-0-4';
const TRACKER = 'sluice-0.1.0';
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** Bytes around the events of a request. */
export const FRAME_BYTES = Buffer.byteLength(JSON.stringify({ schema: SCHEMA, data: [] }));
/** `,"stm":"1769860800500"` and the comma between two events. */
const ADDED_BYTES = 24;
/** Collectors answer 200 to larger events and then set them aside: the client alone can say so in time. */
const MOST_EVENT_BYTES = 1_000_000;

const FIELDS = new Set(
  (
    'tna aid p tv e eid tid dtm stm ttm tz uid duid nuid tnuid sid vid ip fp ua ctype cookie lang res cd cs ds vp mac ' +
    'url page refr pp_mix pp_max pp_miy pp_may ad_ba ad_ca ad_ad ad_uid sa sn st sp se_ca se_ac se_la se_pr se_va ' +
    'tr_id tr_af tr_tt tr_tx tr_sh tr_ci tr_st tr_co tr_cu ti_id ti_sk ti_nm ti_na ti_ca ti_pr ti_qu ti_cu ' +
    'ue_na ue_pr ue_px co cx f_pdf f_qt f_realp f_wma f_dir f_fla f_java f_gears f_ag'
  ).split(' '),
);
const TIMES = ['dtm', 'stm', 'ttm'];
const KINDS = new Set(['pv', 'pp', 'se', 'ue', 'tr', 'ti']);

export interface Identity {
  /** A UUID, unless the fields name one. */
  readonly eventId: string;
  readonly appId: string;
  readonly namespace: string;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

/** An event as it waits: JSON without `stm`, which is set at each sending. */
export interface EncodedEvent {
  readonly text: string;
  /** In a request. */
  readonly bytes: number;
  /** Added to the time of sending: below 0 when the device's clock, which the event brought as `stm`, is behind. */
  readonly stmOffsetMs: number;
}

/** Throws COLLECTOR_REFUSED naming the field. */
export function encodeEvent(fields: TrackerFields, identity: Identity): EncodedEvent {
  const { eventId, appId, namespace, now } = identity;
  check(fields);
  const usual = { tv: TRACKER, p: 'srv', aid: appId, tna: namespace, dtm: String(now), eid: eventId };
  const text = JSON.stringify({ ...usual, ...fields, stm: undefined });
  const { stm } = fields;
  const bytes = Buffer.byteLength(text) + ADDED_BYTES;
  if (bytes > MOST_EVENT_BYTES) throw refused(`${bytes} bytes are not allowed; allowed: ${MOST_EVENT_BYTES}`);
  return { text, bytes, stmOffsetMs: stm === undefined ? 0 : Number(stm) - now };
}

function check(fields: TrackerFields): void {
  for (const name of Object.keys(fields)) checkField(name, fields[name]);
  const { e = '', eid } = fields;
  if (!KINDS.has(e)) throw refused(`e: ${shown(fields.e)} is not allowed; allowed: ${[...KINDS].join(', ')}`);
  if (eid !== undefined && !UUID.test(eid)) throw refused(`eid: ${shown(eid)} is not allowed; allowed: a UUID`);
  for (const name of TIMES) checkTime(name, fields[name]);
}

function checkField(name: string, value: unknown): void {
  if (!FIELDS.has(name)) throw refused(`${name}: no field of the tracker protocol${suggestion(name, FIELDS)}`);
  if (typeof value !== 'string') throw refused(`${name}: ${kindOf(value)} is not allowed; allowed: a string`);
}

function checkTime(name: string, value: string | undefined): void {
  if (value === undefined || /^\d{1,15}$/.test(value)) return;
  throw refused(`${name}: ${shown(value)} is not allowed; allowed: milliseconds since the epoch, as a string`);
}

function kindOf(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (Array.isArray(value)) return 'an array';
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}

function shown(value: unknown): string {
  return String(JSON.stringify(value)).slice(0, 80);
}

function refused(message: string): SluiceError {
  return new SluiceError('COLLECTOR_REFUSED', `event: ${message}`);
}

/** The body of a request that is sent at `now`, in milliseconds since the epoch. */
export function batchBody(events: readonly EncodedEvent[], now: number): string {
  const data = events.map(({ text, stmOffsetMs }) => `${text.slice(0, -1)},"stm":"${Math.max(0, now + stmOffsetMs)}"}`);
  return `{"schema":"${SCHEMA}","data":[${data.join(',')}]}`;
}
