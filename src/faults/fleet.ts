/**
 * The processes under test, each in a slot of its role. A slot whose process ends gets a new one, as a service manager
 * would do it; what a process says on stderr goes to a file of its own. They do not outlive the kit: each notices by
 * its channel that the kit is gone.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { History } from './history.ts';

const START_AGAIN_MS = 300;
const STOP_WITHIN_MS = 15_000;

export interface Program {
  /** Arguments of Node: its own options, the file, the file's arguments. */
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

export interface Member {
  readonly name: string;
  readonly pid: number;
  /** All that its slot's processes have said on stderr. */
  said(): string;
  kill(signal: NodeJS.Signals): void;
  /** Resolves when the present process has ended. */
  readonly ended: Promise<void>;
  send(message: object): void;
}

export interface FleetOptions {
  readonly dir: string;
  readonly history: History;
  /** Of every process. */
  readonly env: Readonly<Record<string, string | undefined>>;
}

interface Slot extends Member {
  readonly isRunning: boolean;
  retire(): Promise<void>;
  killNow(): void;
}

export class Fleet {
  readonly #slots = new Map<string, Slot[]>();
  readonly #options: FleetOptions;
  #started = 0;

  constructor(options: FleetOptions) {
    this.#options = options;
  }

  of(role: string): readonly Member[] {
    return this.#slots.get(role) ?? [];
  }

  get all(): readonly Member[] {
    return [...this.#slots.values()].flat();
  }

  /** Starts or ends processes until the role has so many. */
  async scale(role: string, count: number, program: (index: number) => Program): Promise<void> {
    const slots = this.#slots.get(role) ?? [];
    this.#slots.set(role, slots);
    while (slots.length < count)
      slots.push(openSlot(`${role}-${++this.#started}`, program(slots.length), this.#options));
    await Promise.all(slots.splice(count).map((slot) => slot.retire()));
  }

  async stop(): Promise<void> {
    const roles = [...this.#slots.values()];
    await Promise.all(roles.flat().map((slot) => slot.retire()));
    this.#slots.clear();
  }

  /** At once, without waiting. */
  killNow(): void {
    for (const slot of [...this.#slots.values()].flat()) slot.killNow();
  }
}

function openSlot(name: string, { args, env }: Program, { dir, history, env: base }: FleetOptions): Slot {
  const log = join(dir, `${name}.log`);
  let child: ChildProcess;
  let isWanted = true;
  let ended: Promise<void>;
  let timer: NodeJS.Timeout | undefined;

  function start(): void {
    const out = openSync(log, 'a');
    child = spawn(process.execPath, [...args], {
      cwd: dir,
      env: { ...base, ...env },
      stdio: ['ignore', out, out, 'ipc'],
    });
    closeSync(out);
    history.append({ is: 'process', name, pid: child.pid ?? -1, step: 'started' });
    ended = new Promise((resolve) => {
      child.once('close', (code, signal) => {
        history.append({ is: 'process', name, pid: child.pid ?? -1, step: `ended: ${signal ?? `exit ${code}`}` });
        resolve();
        if (isWanted) timer = setTimeout(start, START_AGAIN_MS);
      });
    });
    child.on('error', () => undefined);
  }

  start();
  return {
    name,
    get pid() {
      return child.pid ?? -1;
    },
    get ended() {
      return ended;
    },
    get isRunning() {
      return child.exitCode === null && child.signalCode === null;
    },
    said: () => readFileSync(log, 'utf8'),
    kill: (signal) => void child.kill(signal),
    send(message) {
      if (child.connected) child.send(message, () => undefined);
    },
    async retire() {
      isWanted = false;
      clearTimeout(timer);
      if (!this.isRunning) return;
      child.kill('SIGCONT');
      child.kill('SIGTERM');
      const late = setTimeout(() => child.kill('SIGKILL'), STOP_WITHIN_MS);
      await ended;
      clearTimeout(late);
    },
    killNow() {
      isWanted = false;
      clearTimeout(timer);
      child.kill('SIGKILL');
    },
  };
}
