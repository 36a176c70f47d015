/** All that can be done with a message of one type; see schemas.ts for what each call promises. */
import { messageOf, SluiceError } from '../errors.ts';
import { createBinaryToJson } from './binary-to-json.ts';
import type { MessageInfo } from './descriptor.ts';
import type { Codec } from './schemas.ts';
import { toCanonical } from './strict.ts';
import { toMessage } from './to-message.ts';
import { writeMessage } from './write.ts';

export function createCodec(message: MessageInfo): Codec {
  const decodeToJson = createBinaryToJson(message);
  return {
    type: message.fullName,
    fields: message.fields.map(({ jsonName }) => jsonName),
    decodeToJson,
    fromJson: (json) => toMessage(message, toCanonical(message, json)),
    toJson: (value) => toCanonical(message, value),
    encode: (value) => writeMessage(message, toCanonical(message, value)),
    decode: (bytes) => toMessage(message, toCanonical(message, JSON.parse(decodeToJson(bytes).json))),
    canonicalJson: (text) => JSON.stringify(toCanonical(message, parseJson(text))),
  };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new SluiceError('INVALID_MESSAGE', `not JSON: ${messageOf(error)}`);
  }
}
