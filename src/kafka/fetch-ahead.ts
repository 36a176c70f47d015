/**
 * One fetch ahead of KafkaJS, which asks for more only when all of an answer has been handled: meanwhile whoever comes behind
 * would have nothing to do. The next request is guessed from an answer and sent at once. Its answer is given to the same
 * request alone, so nothing is told that Kafka would not have told; where the guess was wrong (a partition was paused, or sent
 * elsewhere), Kafka is asked as ever.
 * Only while there is a backlog: at the log's end, an answer that is asked for early would hold less.
 */
import type { Broker } from 'kafkajs';
import type { FetchedPartition } from './committed-only.ts';

/** An answer that nobody has asked for by then may tell of a log that was deleted since. */
const KEPT_MS = 2_000;
/** Records that an answer has left in the log. */
const BACKLOG_RECORDS = 1_000;

export type FetchRequest = Parameters<Broker['fetch']>[0];

interface AnsweredPartition extends FetchedPartition {
  readonly partition: number;
  readonly highWatermark: string;
}

export interface FetchAnswer {
  readonly responses: readonly { readonly topicName: string; partitions: AnsweredPartition[] }[];
}

export type Fetch = (request: FetchRequest) => Promise<FetchAnswer>;

interface Guess {
  readonly request: string;
  readonly sentAt: number;
  readonly answer: Promise<FetchAnswer>;
}

/** For one broker, asked by one caller: a call begins when the one before it is over. */
export function fetchingAhead(fetch: Fetch): Fetch {
  let guess: Guess | undefined;
  return async (request) => {
    const early = isGuessed(request, guess) ? guess.answer : undefined;
    guess = undefined;
    const answer = await (early ?? fetch(request));
    if (hasBacklog(answer)) guess = guessed(fetch, nextRequest(request, answer));
    return answer;
  };
}

function isGuessed(request: FetchRequest, guess: Guess | undefined): guess is Guess {
  return guess?.request === JSON.stringify(request) && performance.now() - guess.sentAt < KEPT_MS;
}

function guessed(fetch: Fetch, request: FetchRequest): Guess {
  const answer = fetch(request);
  // Told to whoever asks, if anybody does.
  answer.catch(() => undefined);
  return { request: JSON.stringify(request), sentAt: performance.now(), answer };
}

function hasBacklog({ responses }: FetchAnswer): boolean {
  const left = responses.flatMap(({ partitions }) => partitions.map(leftInLog));
  return left.reduce((sum, each) => sum + each, 0) >= BACKLOG_RECORDS;
}

/** Of a partition that the answer holds records of: Kafka says nothing more of the others. */
function leftInLog({ messages, highWatermark }: AnsweredPartition): number {
  const last = messages.at(-1);
  return last === undefined ? 0 : Number(highWatermark) - Number(last.offset) - 1;
}

/** From behind what was answered. */
function nextRequest(request: FetchRequest, { responses }: FetchAnswer): FetchRequest {
  const next = new Map<string, string>();
  for (const { topicName, partitions } of responses) {
    for (const { partition, messages } of partitions) {
      const last = messages.at(-1);
      if (last !== undefined) next.set(`${topicName}/${partition}`, String(Number(last.offset) + 1));
    }
  }
  const topics = request.topics.map(({ topic, partitions }) => ({
    topic,
    partitions: partitions.map((each) => ({
      ...each,
      fetchOffset: next.get(`${topic}/${each.partition}`) ?? each.fetchOffset,
    })),
  }));
  return { ...request, topics };
}
