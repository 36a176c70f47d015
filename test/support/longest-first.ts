/**
 * The order of the test files: those that take longest begin first, or the run would end with one of them alone. vitest
 * knows how long a file took only where it ran before; a fresh checkout has to be told.
 */
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** Files of more than half a minute; those that mostly wait between those that keep the cores busy. */
const LONGEST = [
  'faults/faults',
  'flow/long',
  'flow/restored-redis',
  'flow/late',
  'worker/sidekiq-host',
  'flow/gate',
  'flow/sidekiq-ruby',
  'cli/up',
  'cli/dlq',
  'flow/sidekiq-silent',
  'worker/bullmq-host',
  'flow/made-anew',
  'worker/sidekiq-ruby',
  'flow/sidekiq-acknowledged',
  'demo/demo',
  'flow/sidekiq-node',
  'flow/dead-letters',
  'stack/stack',
  'cli/status',
].map((name) => `/test/${name}.real.test.ts`);

export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const place = ({ moduleId }: TestSpecification) => {
      const at = LONGEST.findIndex((name) => moduleId.endsWith(name));
      return at < 0 ? LONGEST.length : at;
    };
    return (await super.sort(files)).sort((one, other) => place(one) - place(other));
  }
}
