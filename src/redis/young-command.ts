/**
 * The client's command, without what makes V8 keep it. A function that is written where it is assigned to a property counts as a
 * method, and is placed among the old objects at once; the client makes such a one for each command. Whatever it can reach stays
 * until the next full collection, and is copied twice before: a command's arguments and its reply, a fifth of the time of a
 * thread that takes jobs. So the promise that it can reach is given up unused, and what it sees of the command is emptied.
 */
import { Command } from 'ioredis';

type Arguments = readonly (string | number | Buffer)[];

/** What the client's own promise is told, which nobody waits for. */
const SETTLED_ELSEWHERE = new Error('settled elsewhere');
const NOTHING: (string | Buffer)[] = [];
const ignore = () => {};

export class YoungCommand extends Command {
  constructor(name: string, args: Arguments, replyEncoding: 'utf8' | null) {
    super(name, args as (string | number | Buffer)[], { replyEncoding });
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    const { promise: unused, reject: giveUp } = this;
    unused.catch(ignore);
    // Ends the time limit, too.
    const release = () => {
      giveUp(SETTLED_ELSEWHERE);
      this.args = NOTHING;
      this.resolve = ignore;
      this.reject = ignore;
      // Not at once: the client may settle a command before it hands out the promise.
      queueMicrotask(() => {
        this.promise = unused;
      });
    };
    const onReply = (reply: Buffer | Buffer[]) => {
      try {
        resolve(this.transformReply(reply));
        this.isResolved = true;
      } catch (error) {
        reject(error);
      }
      release();
    };
    const onFailure = (error: Error) => {
      reject(error);
      release();
    };
    this.promise = promise;
    this.resolve = onReply;
    this.reject = onFailure;
  }
}
