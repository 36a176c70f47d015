/**
 * A strict tp2 receiver that believes nobody: it checks every request against the protocol, counts the event ids that
 * it has seen, and takes an id for one event only. Whatever does not fit is refused for good, as a whole.
 */
import { createWriteStream, type WriteStream } from 'node:fs';
import { createServer, type IncomingMessage } from 'node:http';
import { crc32 } from 'node:zlib';

const PATH = '/com.snowplowanalytics.snowplow/tp2';
const SCHEMA = 'iglu:com.snowplowanalytics.snowplow/payload_data/jsonschema/1-0-4';
const MOST_BYTES = 2_097_152;
const KINDS = new Set(['pv', 'pp', 'se', 'ue', 'tr', 'ti']);
const MANDATORY = ['tv', 'p', 'e', 'eid', 'dtm', 'stm'];
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
const MILLISECONDS = /^\d{12,14}$/;
/** The properties of payload_data 1-0-4, kept apart from the product's own list: one may be wrong, not both alike. */
const PROPERTIES = new Set(
  `tna aid p dtm tz e tid eid tv duid nuid uid vid ip res url page refr fp ctype cookie lang f_pdf f_qt f_realp f_wma
   f_dir f_fla f_java f_gears f_ag cd ds cs vp mac pp_mix pp_max pp_miy pp_may ad_ba ad_ca ad_ad ad_uid tr_id tr_af
   tr_tt tr_tx tr_sh tr_ci tr_st tr_co tr_cu ti_id ti_sk ti_nm ti_na ti_ca ti_pr ti_qu ti_cu sa sn st sp se_ca se_ac
   se_la se_pr se_va ue_na ue_pr ue_px co cx ua tnuid stm sid ttm`.split(/\s+/),
);

/**
 * How it treats requests: `well`; late by two seconds; refusing with 429 or 503; taking all and answering nothing;
 * taking events, and breaking the connection in place of an answer.
 */
export type Mood = 'well' | 'slow' | '429' | '503' | 'hanging' | 'reset';

const SLOW_MS = 2_000;

export interface Receiver {
  readonly url: string;
  readonly total: number;
  readonly distinct: number;
  /** Requests that did not fit, with the reason of the last. */
  readonly refused: number;
  readonly lastRefusal: string;
  /** From now on. */
  behave(mood: Mood): void;
  stop(): Promise<void>;
}

type Item = Readonly<Record<string, string>>;

export interface ReceiverOptions {
  /** A file that gets every accepted event as a line of JSON. */
  readonly dump?: string | undefined;
  /** Called with the id of every accepted event. */
  readonly onEvent?: (id: string) => void;
  /** How many events it knows again, at least; without it all. */
  readonly remembers?: number;
}

export async function startReceiver({
  dump,
  onEvent,
  remembers = Number.POSITIVE_INFINITY,
}: ReceiverOptions = {}): Promise<Receiver> {
  const seen = new Seen(remembers);
  const file: WriteStream | undefined = dump === undefined ? undefined : createWriteStream(dump);
  let total = 0;
  let refused = 0;
  let lastRefusal = '';

  function accept(items: readonly Item[]): void {
    for (const item of items) checkSame(item, seen);
    for (const item of items) {
      total += 1;
      seen.add(item.eid as string, checksum(item));
      file?.write(`${JSON.stringify(item)}\n`);
      onEvent?.(item.eid as string);
    }
  }

  let mood: Mood = 'well';
  const server = createServer(async (request, response) => {
    const answer = (status: number, text: string) =>
      response.writeHead(status, { 'content-type': 'text/plain' }).end(text);
    try {
      if (request.url === '/health') return answer(200, 'ok');
      const items = itemsOf(request, await bodyOf(request));
      if (mood === 'hanging') return;
      if (mood === '429' || mood === '503') return answer(Number(mood), 'not now');
      if (mood === 'slow') await new Promise((resolve) => setTimeout(resolve, SLOW_MS));
      accept(items);
      if (mood === 'reset') return request.socket.resetAndDestroy();
      return answer(200, 'ok');
    } catch (error) {
      refused += 1;
      lastRefusal = error instanceof Error ? error.message : String(error);
      return answer(422, lastRefusal);
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address() as { port: number };

  return {
    url: `http://127.0.0.1:${address.port}`,
    get total() {
      return total;
    },
    get distinct() {
      return seen.count;
    },
    get refused() {
      return refused;
    },
    get lastRefusal() {
      return lastRefusal;
    },
    behave(next) {
      mood = next;
      // Whoever waits for an answer that was never to come finds its connection closed.
      if (next === 'well') server.closeAllConnections();
    },
    async stop() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      if (file !== undefined) await new Promise((resolve) => file.end(resolve));
    },
  };
}

/** A checksum of each event by its id: of the last `most` at least, and of twice as many at most. */
class Seen {
  /** Different ids, as far as they are remembered. */
  count = 0;
  readonly #most: number;
  #latest = new Map<string, number>();
  #before = new Map<string, number>();

  constructor(most: number) {
    this.#most = most;
  }

  get(id: string): number | undefined {
    return this.#latest.get(id) ?? this.#before.get(id);
  }

  add(id: string, sum: number): void {
    const { size } = this.#latest;
    this.#latest.set(id, sum);
    if (this.#latest.size === size) return;
    if (!this.#before.has(id)) this.count += 1;
    if (this.#latest.size < this.#most) return;
    this.#before = this.#latest;
    this.#latest = new Map();
  }
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > MOST_BYTES) throw new Error(`more than ${MOST_BYTES} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

/** The events of a request; throws what is wrong with it. */
export function itemsOf(request: Pick<IncomingMessage, 'method' | 'url' | 'headers'>, body: string): readonly Item[] {
  if (request.method !== 'POST' || request.url !== PATH)
    throw new Error(`${request.method} ${request.url} is not POST ${PATH}`);
  const type = request.headers['content-type'] ?? '';
  if (!/^application\/json; ?charset=utf-8$/i.test(type)) throw new Error(`content type ${type}`);
  const { schema, data, ...rest } = JSON.parse(body) as { schema?: unknown; data?: unknown };
  if (schema !== SCHEMA) throw new Error(`schema ${String(schema)}`);
  if (Object.keys(rest).length > 0) throw new Error(`unknown members ${Object.keys(rest).join(', ')}`);
  if (!Array.isArray(data) || data.length === 0) throw new Error('no events');
  for (const item of data) checkItem(item as unknown);
  return data as Item[];
}

function checkItem(item: unknown): void {
  if (typeof item !== 'object' || item === null || Array.isArray(item)) throw new Error('an event is no object');
  for (const [name, value] of Object.entries(item)) {
    if (!PROPERTIES.has(name)) throw new Error(`unknown property ${name}`);
    if (typeof value !== 'string') throw new Error(`${name} is a ${typeof value}`);
    if (value === '') throw new Error(`${name} is empty`);
  }
  const fields = item as Item;
  for (const name of MANDATORY) if (fields[name] === undefined) throw new Error(`${name} is missing`);
  if (!KINDS.has(fields.e as string)) throw new Error(`e is ${fields.e}`);
  if (!UUID.test(fields.eid as string)) throw new Error(`eid is ${fields.eid}`);
  for (const name of ['dtm', 'stm'])
    if (!MILLISECONDS.test(fields[name] as string)) throw new Error(`${name} is ${fields[name]}`);
}

/** All but the time of sending stays as it was when an event is sent again. */
function checksum({ stm: _, ...fields }: Item): number {
  return crc32(JSON.stringify(fields));
}

function checkSame(item: Item, seen: Seen): void {
  const before = seen.get(item.eid as string);
  if (before !== undefined && before !== checksum(item)) throw new Error(`eid ${item.eid} was another event before`);
}
