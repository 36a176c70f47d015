/**
 * How the records that this bridge has seen finish have ended, by topic and outcome, for status. Since the bridge
 * started, and again for records that finished unseen before: exact counts come from Kafka.
 */
import type { Metrics } from '../metrics.ts';

export type Outcomes = Readonly<Record<string, Readonly<Record<string, number>>>>;

export async function outcomesIn({ recordsSettled }: Pick<Metrics, 'recordsSettled'>): Promise<Outcomes> {
  const outcomes: Record<string, Record<string, number>> = {};
  for (const { value, labels } of (await recordsSettled.get()).values) {
    const { topic = '', outcome = '' } = labels as Record<string, string>;
    outcomes[topic] = { ...outcomes[topic], [outcome]: value };
  }
  return outcomes;
}
