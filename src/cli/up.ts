/** `sluice up` and the roles alone. */
import { fileURLToPath } from 'node:url';
import type { Service } from '../service.ts';
import { type CommonFlags, type Context, createContext, schemasFor, workersFor } from './context.ts';
import { EXIT, exitCodeOf } from './exit.ts';
import { makeRole, ROLES, type Role } from './roles.ts';
import { runUntilStopped } from './run-role.ts';
import { type ChildSpec, createSupervisor } from './supervise.ts';

/** The command itself, from src/cli and from dist/cli alike. */
const COMMAND = fileURLToPath(new URL('../../bin/sluice.js', import.meta.url));
const CHILD_SPARE_MS = 10_000;

export async function runRole(role: Role, flags: CommonFlags): Promise<number> {
  const context = await createContext(flags, role);
  return runUntilStopped(context.log, context.config.work.drainMs, ({ end }) =>
    makeRole(role, context, (error) => {
      context.log.error({ err: error }, 'cannot go on');
      end(exitCodeOf(error));
    }),
  );
}

export async function up(flags: CommonFlags & { singleProcess?: boolean }): Promise<number> {
  const context = await createContext(flags, 'up');
  await workersFor(context.config, schemasFor(context.config));
  return flags.singleProcess ? upInOne(context) : upInMany(context, flags);
}

async function upInMany({ config, log, clock }: Context, flags: CommonFlags): Promise<number> {
  const children: ChildSpec[] = rolesOf(config).flatMap((role) => {
    const args = [role, ...flagArguments(flags)];
    if (role !== 'work') return [{ name: role, args }];
    return Array.from({ length: config.work.processes }, (_, i) => ({ name: `work-${i + 1}`, args }));
  });
  return runUntilStopped(log, config.work.drainMs + CHILD_SPARE_MS, async ({ end }) =>
    createSupervisor({ command: COMMAND, children, log, clock, onHopeless: end }),
  );
}

async function upInOne(context: Context): Promise<number> {
  const { config, log } = context;
  return runUntilStopped(log, config.work.drainMs, async ({ end }) => {
    const onFatal = (error: Error) => {
      log.error({ err: error }, 'cannot go on');
      end(EXIT.failed);
    };
    return together(await Promise.all(rolesOf(config).map((role) => makeRole(role, context, onFatal))));
  });
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
