/**
 * One fetch ahead of KafkaJS, which asks for more only when all of an answer has been handled: meanwhile whoever comes behind
 * would have nothing to do. The next request is guessed from an answer and sent at once. Its answer is given to the same
 * request alone, so nothing is told that Kafka would not have told. Where the guess was wrong (a partition was paused, or sent
 * elsewhere), came to nothing, or is two seconds old, Kafka is asked as ever, and nothing is guessed from the next answer.
 * Only while there is a backlog: at the log's end, an answer that is asked for early would hold less.
 */
import type { Broker } from 'kafkajs';
import type { FetchedPartition } from './committed-only.ts';

/** An answer that nobody has asked for by then may tell of a log that was deleted since, and takes room for nothing. */
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
  /** Undefined when Kafka did not give it: why is told to whoever asks as ever. */
  readonly answer: Promise<FetchAnswer | undefined>;
}

const DROPPED: Guess = { request: '', answer: Promise.resolve(undefined) };

/** For one broker, asked by one caller: a call begins when the one before it is over. */
export function fetchingAhead(fetch: Fetch): Fetch {
  let guess: Guess | undefined;
  let dropping: NodeJS.Timeout | undefined;

  function guessNext(request: FetchRequest): void {
    guess = { request: JSON.stringify(request), answer: fetch(request).catch(() => undefined) };
    dropping = setTimeout(() => {
      guess = DROPPED;
    }, KEPT_MS).unref();
  }

  return async (request) => {
    clearTimeout(dropping);
    const early = guess?.request === JSON.stringify(request) ? await guess.answer : undefined;
    const wasWrong = guess !== undefined && early === undefined;
    guess = undefined;
    const answer = early ?? (await fetch(request));
    if (!wasWrong && hasBacklog(answer)) guessNext(nextRequest(request, answer));
    return answer;
  };
}

/** Whether as much is left in the log as makes a large answer. */
export function hasBacklog({ responses }: FetchAnswer): boolean {
  const left = responses.flatMap(({ partitions }) => partitions.map(leftInLog));
  return left.reduce((sum, each) => sum + each, 0) >= BACKLOG_RECORDS;
}

/** Of a partition that the answer holds records of: Kafka says nothing more of the others. What is not decided is not there yet. */
function leftInLog({ messages, highWatermark, lastStableOffset }: AnsweredPartition): number {
  const last = messages.at(-1);
  return last === undefined ? 0 : Math.min(Number(highWatermark), Number(lastStableOffset)) - Number(last.offset) - 1;
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
