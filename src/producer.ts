/** The entry `sluice/producer`: light, for programs that only produce. */
export { isSluiceError, SluiceError } from './errors.ts';
export type { EventOptions } from './producer/options.ts';
export { createProducer, type OutgoingEvent, type Producer } from './producer/producer.ts';
export type { ProducerSettings, SidekiqSettings } from './producer/settings.ts';
export type { SidekiqProducer } from './producer/sidekiq.ts';
export type { OutgoingSidekiqJob, SidekiqOptions } from './producer/sidekiq-options.ts';
