/** `sluice up` and the roles alone; a role of several processes is supervised as `up` supervises. */
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { SluiceError } from '../errors.ts';
import type { Log } from '../log.ts';
import type { Service } from '../service.ts';
import { check } from './check.ts';
import { type CommonFlags, type Context, createContext } from './context.ts';
import { EXIT, exitCodeOf } from './exit.ts';
import { makeRole, ROLES, type Role, type RoleEnd } from './roles.ts';
import { runUntilStopped } from './run-role.ts';
import { type ChildSpec, createSupervisor, type Supervisor } from './supervise.ts';
import { servers } from './whereabouts.ts';

/** The command itself, from src/cli and from dist/cli alike. */
const COMMAND = fileURLToPath(new URL('../../bin/sluice.js', import.meta.url));
const CHILD_SPARE_MS = 10_000;

export async function runRole(role: Role, flags: CommonFlags): Promise<number> {
  const context = await createContext(flags, role);
  const { log } = context;
  if (flags.processes !== undefined && context.config.work.processes > 1) return supervised([role], context, flags);
  return runUntilStopped({ log, deadlineMs: context.config.work.drainMs }, ({ end }) =>
    makeRole(role, context, endOf(log, end)),
  );
}

export async function up(flags: CommonFlags & { singleProcess?: boolean }): Promise<number> {
  if (flags.singleProcess && flags.processes !== undefined) {
    throw new SluiceError('USAGE', '--processes: not allowed with --single-process; allowed: one of them');
  }
  const context = await createContext(flags, 'up');
  if (!flags.singleProcess) return upInMany(context, flags);
  await check({ ...flags, quiet: true });
  return upInOne(context);
}

async function upInMany(context: Context, flags: CommonFlags): Promise<number> {
  const checked = await checkedInChild(flags);
  if (checked !== EXIT.ok) return checked;
  const { config, loaded, log } = context;
  log.info(servers(loaded), 'starting');
  return supervised(rolesOf(config), context, flags);
}

async function supervised(
  roles: readonly Role[],
  { config, log, clock }: Context,
  flags: CommonFlags,
): Promise<number> {
  const children = roles.flatMap((role) => specsOf(role, config, flags));
  let supervisor: Supervisor | undefined;
  const onSecondSignal = () => supervisor?.killAll();
  return runUntilStopped({ log, deadlineMs: config.work.drainMs + CHILD_SPARE_MS, onSecondSignal }, async ({ end }) => {
    supervisor = createSupervisor({ command: COMMAND, children, log, clock, onHopeless: end });
    return supervisor;
  });
}

/** In a process of its own, because it runs what the user's workers do when they are imported. */
function checkedInChild(flags: CommonFlags): Promise<number> {
  const child = fork(COMMAND, ['check', '--quiet', ...flagArguments(flags)], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code) => resolve(code ?? EXIT.interrupted));
  });
}

function specsOf(role: Role, { work }: Context['config'], flags: CommonFlags): ChildSpec[] {
  const args = [role, ...flagArguments(flags)];
  if (role !== 'work') return [{ name: role, args }];
  return Array.from({ length: work.processes }, (_, i) => ({ name: `work-${i + 1}`, args }));
}

async function upInOne(context: Context): Promise<number> {
  const { config, loaded, log } = context;
  log.info(servers(loaded), 'starting');
  return runUntilStopped({ log, deadlineMs: config.work.drainMs }, async ({ end }) =>
    together(await Promise.all(rolesOf(config).map((role) => makeRole(role, context, endOf(log, end))))),
  );
}

/** A role that cannot go on says so and ends its process, for the supervisor to start it again. */
function endOf(log: Log, end: (exitCode: number) => void): RoleEnd {
  return {
    onFatal(error) {
      log.error({ err: error }, 'cannot go on');
      end(exitCodeOf(error));
    },
    onTerm: () => end(EXIT.ok),
  };
}

function rolesOf({ dashboard }: Context['config']): readonly Role[] {
  return ROLES.filter((role) => role !== 'dashboard' || dashboard.enabled);
}

function flagArguments({ config, workers, proto, logLevel }: CommonFlags): string[] {
  return [
    ...(config === undefined ? [] : ['--config', config]),
    ...(workers === undefined ? [] : ['--workers', workers]),
    ...(proto ?? []).flatMap((dir) => ['--proto', dir]),
    ...(logLevel === undefined ? [] : ['--log-level', logLevel]),
  ];
}

function together(services: readonly Service[]): Service {
  return {
    async start() {
      await Promise.all(services.map((service) => service.start()));
    },
    async stop(deadlineMs) {
      await Promise.all(services.map((service) => service.stop(deadlineMs)));
    },
  };
}
