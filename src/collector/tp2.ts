/**
 * The Snowplow Tracker Protocol's batch form (tp2): a self-describing JSON of events, every value text.
 * Source: the payload_data schema 1-0-4 and the tracker protocol's list of fields.
 */

import type { TrackerFields } from '../definition/worker.ts';
import { SluiceError } from '../errors.ts';
import { suggestion } from '../suggest.ts';

export const PATH = '/com.snowplowanalytics.snowplow/tp2';
const SCHEMA = 'iglu:com.snowplowanalytics.snowplow/payload_data/jsonschema/1-0-4';
const TRACKER = 'sluice-0.1.0';

/** Bytes around the events of a request. */
export const FRAME_BYTES = Buffer.byteLength(JSON.stringify({ schema: SCHEMA, data: [] }));

const FIELDS = new Set(
  (
    'tna aid p tv e eid dtm stm ttm tz uid duid nuid tnuid sid vid fp ip res lang ua cookie cd ds vp cs page url refr ' +
    'se_ca se_ac se_la se_pr se_va ue_pr ue_px co cx tid cv evn mac pp_mix pp_max pp_miy pp_may ' +
    'tr_id tr_af tr_tt tr_tx tr_sh tr_ci tr_st tr_co tr_cu ti_id ti_sk ti_nm ti_na ti_ca ti_pr ti_qu ti_cu ' +
    'f_pdf f_qt f_realp f_wma f_dir f_fla f_java f_gears f_ag'
  ).split(' '),
);
const KINDS = new Set(['pv', 'pp', 'se', 'ue', 'tr', 'ti']);

export interface Identity {
  readonly eventId: string;
  readonly appId: string;
  readonly namespace: string;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

/** An event's text in a batch, but `stm`, which is set when it is sent. Throws COLLECTOR_REFUSED naming the field. */
export function eventText(fields: TrackerFields, { eventId, appId, namespace, now }: Identity): string {
  for (const [name, value] of Object.entries(fields)) checkField(name, value);
  if (!KINDS.has(fields.e ?? '')) {
    throw refused(`e: ${JSON.stringify(fields.e)} is not allowed; allowed: ${[...KINDS].join(', ')}`);
  }
  return JSON.stringify({
    tv: TRACKER,
    p: 'srv',
    aid: appId,
    tna: namespace,
    dtm: String(now),
    eid: eventId,
    ...fields,
  });
}

function checkField(name: string, value: unknown): void {
  if (!FIELDS.has(name)) throw refused(`${name}: no field of the tracker protocol${suggestion(name, FIELDS)}`);
  if (typeof value !== 'string') throw refused(`${name}: a ${typeof value} is not allowed; allowed: a string`);
}

function refused(message: string): SluiceError {
  return new SluiceError('COLLECTOR_REFUSED', `event: ${message}`);
}

/** The body of a request. `stm` is the moment of sending, in milliseconds since the epoch. */
export function batchBody(events: readonly string[], stm: number): string {
  const data = events.map((text) => `${text.slice(0, -1)},"stm":"${stm}"}`);
  return `{"schema":"${SCHEMA}","data":[${data.join(',')}]}`;
}
