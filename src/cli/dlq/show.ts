/** `sluice dlq show`: one letter, its record decoded as what it is, or the reason why it does not decode. */
import { topicConfig } from '../../bridge/config.ts';
import { createDecoder } from '../../bridge/decode.ts';
import { isSluiceError, SluiceError } from '../../errors.ts';
import { LETTER, letterTopic, type Place } from '../../job/letter.ts';
import { fatesOf } from '../../kafka/letters/fates.ts';
import { type Letter, letterId, placeOf, toLetter } from '../../kafka/letters/letter.ts';
import { isMark } from '../../kafka/letters/marks.ts';
import { newestLetters, readOn, States } from '../../kafka/letters/survey.ts';
import type { Config } from '../config/schema.ts';
import { type CommonFlags, createContext, schemasFor } from '../context.ts';
import { EXIT } from '../exit.ts';
import { counted, printJson, printLines } from '../output.ts';
import { bytes, letterJson } from './shape.ts';
import { type LetterAccess, withLetters } from './source.ts';

/** How many records are searched for the letter of a record. */
const WINDOW = 100_000;

export async function show(id: string, flags: CommonFlags & { json?: boolean }): Promise<number> {
  const place = placeOf(id);
  if (place === undefined) {
    throw new SluiceError('USAGE', `"${id}": allowed is TOPIC/PARTITION/OFFSET, of a letter or of its record`);
  }
  const { config } = await createContext(flags, 'dlq');
  const letter = await withLetters(config, (access) =>
    place.topic.endsWith('.dlq') ? letterAt(access, place) : letterOf(access, place),
  );
  const decoded = decode(config, letter);
  if (flags.json) printJson({ ...letterJson(letter), headers: letter.record.headers, ...decoded });
  else printLines(lines(letter, decoded));
  return EXIT.ok;
}

async function letterAt(access: LetterAccess, place: Place): Promise<Letter> {
  const letter = await readAt(access, place);
  if (letter !== undefined) return letter;
  const [[id, why] = []] = await fatesOf(access, [place]);
  throw new SluiceError('OUT_OF_RANGE', `${id}: ${why}`);
}

async function readAt(access: LetterAccess, place: Place): Promise<Letter | undefined> {
  const states = new States();
  let found: Letter['record'] | undefined;
  try {
    for await (const records of readOn(access, place, place.offset)) {
      found ??= records[0];
      if (found?.offset !== place.offset || isMark(found)) return undefined;
      for (const record of records) states.learn(record);
    }
  } catch (error) {
    if (!isSluiceError(error, 'OUT_OF_RANGE') && !isSluiceError(error, 'UNFIT')) throw error;
  }
  return found && toLetter(place, found, states.of(found.offset));
}

/** The newest letter of a record: a record that was taken again after a loss of Redis may have several. */
async function letterOf(access: LetterAccess, place: Place): Promise<Letter> {
  const isOf = ({ origin }: Letter) => origin !== undefined && letterId(origin) === letterId(place);
  const topic = letterTopic(place.topic);
  const { letters, searched } = await newestLetters(access, [topic], WINDOW, isOf);
  const [newest] = letters;
  if (newest !== undefined) return newest;
  const where = `searched ${counted(searched, 'record')} of ${topic}`;
  throw new SluiceError('OUT_OF_RANGE', `${letterId(place)}: no letter is of this record; ${where}`);
}

type DecodedPayload = { readonly type: string; readonly payload: unknown } | { readonly undecodable: string };

/** As its topic's records are read today. */
function decode(config: Config, { origin, record }: Letter): DecodedPayload & Record<string, unknown> {
  const topic = config.topics[origin?.topic ?? ''] ?? topicConfig.parse({});
  const decoded = createDecoder(topic, schemasFor(config))(record);
  if ('reason' in decoded) return { undecodable: decoded.error, ...bytes('value', record.value) };
  const { type, json } = decoded.event;
  return { type, payload: JSON.parse(json) };
}

function lines(letter: Letter, decoded: DecodedPayload & Record<string, unknown>): string[] {
  const { valueBytes, version: _, ...fields } = letterJson(letter);
  const { [LETTER.stack]: stack, ...headers } = letter.record.headers;
  const payload =
    'undecodable' in decoded
      ? [
          `does not decode: ${printable(String(decoded.undecodable))}`,
          printable(String(decoded.value ?? decoded.valueBase64)),
        ]
      : [String(decoded.type), JSON.stringify(decoded.payload, undefined, 2)];
  return [
    ...Object.entries(fields).map(([name, value]) => `${name.padEnd(14)} ${printable(String(value ?? ''))}`),
    '',
    'headers',
    ...Object.entries(headers).map(([name, value]) => `  ${printable(name)}: ${printable(value)}`),
    ...(stack === undefined ? [] : ['', 'stack', ...stack.split('\n').map((line) => `  ${printable(line)}`)]),
    '',
    `record, ${valueBytes ?? 'no'} bytes`,
    ...payload,
  ];
}

/** A record must not steer the terminal that it is shown on. */
function printable(text: string): string {
  return text.replace(/\p{Cc}/gu, (control) => `\\x${control.charCodeAt(0).toString(16).padStart(2, '0')}`);
}
