/**
 * How much is fetched at once: about so many records of the size that the last ones had, as far as they are not compressed. What
 * is made of a fetch holds up all else, and is what the garbage collector has to look through; and each fetch has its price,
 * which few large records would pay for nothing.
 */
import type { Fetch, FetchAnswer, FetchRequest } from './fetch-ahead.ts';

const RECORDS = 3_000;
const [LEAST_BYTES, MOST_BYTES] = [1_048_576, 4_194_304];
/** Of a fetch at most, where several are asked for: so that each has the records of more than one. */
const PARTITION_SHARE = 0.5;

/** For one broker, asked by one caller. The request's own sizes do not count. */
export function sizing(fetch: Fetch): Fetch {
  let bytes = LEAST_BYTES;
  return async (request) => {
    const answer = await fetch(ofSize(request, bytes));
    bytes = bytesAfter(answer) ?? bytes;
    return answer;
  };
}

function ofSize(request: FetchRequest, bytes: number): FetchRequest {
  const isOfOne = request.topics.flatMap(({ partitions }) => partitions).length === 1;
  const maxBytes = isOfOne ? bytes : bytes * PARTITION_SHARE;
  const topics = request.topics.map(({ topic, partitions }) => ({
    topic,
    partitions: partitions.map((each) => ({ ...each, maxBytes })),
  }));
  return { ...request, maxBytes: bytes, topics };
}

function bytesAfter({ responses }: FetchAnswer): number | undefined {
  let [records, bytes] = [0, 0];
  for (const { partitions } of responses) {
    for (const { messages } of partitions) {
      records += messages.length;
      for (const { value } of messages) bytes += value?.length ?? 0;
    }
  }
  return records === 0
    ? undefined
    : Math.min(MOST_BYTES, Math.max(LEAST_BYTES, Math.ceil((RECORDS * bytes) / records)));
}
