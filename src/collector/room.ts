/**
 * Bounds what the client holds, by events and by bytes: who finds no room waits, first come, first served.
 * An event that is larger than the whole room goes in alone.
 */

export interface Room {
  /** Whether there was room at once. */
  tryEnter(bytes: number): boolean;
  /** Resolves with true once there is room, with false when the room is closed. */
  enter(bytes: number): Promise<boolean>;
  leave(bytes: number): void;
  /** Sends away all who wait and all who come. */
  close(): void;
}

interface Waiter {
  readonly bytes: number;
  readonly letIn: (isIn: boolean) => void;
}

export function createRoom(mostEvents: number, mostBytes: number): Room {
  const waiters: Waiter[] = [];
  let events = 0;
  let held = 0;
  let isClosed = false;

  const fits = (bytes: number) => events === 0 || (events < mostEvents && held + bytes <= mostBytes);

  function occupy(bytes: number): void {
    events += 1;
    held += bytes;
  }

  function tryEnter(bytes: number): boolean {
    if (isClosed || waiters.length > 0 || !fits(bytes)) return false;
    occupy(bytes);
    return true;
  }

  return {
    tryEnter,

    async enter(bytes) {
      if (tryEnter(bytes)) return true;
      return !isClosed && new Promise((letIn) => waiters.push({ bytes, letIn }));
    },

    leave(bytes) {
      events -= 1;
      held -= bytes;
      for (let next = waiters[0]; next !== undefined && fits(next.bytes); next = waiters[0]) {
        waiters.shift();
        occupy(next.bytes);
        next.letIn(true);
      }
    },

    close() {
      isClosed = true;
      for (const { letIn } of waiters.splice(0)) letIn(false);
    },
  };
}
