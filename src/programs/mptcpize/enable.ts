/** `mptcpize enable` and `mptcpize disable` */

import { disable } from "../../services/disable.ts";
import { dropInDirectories } from "../../services/drop-in.ts";
import { enable } from "../../services/enable.ts";
import { exposureOf } from "../../services/exposure.ts";
import { exclusively } from "../../services/lock.ts";
import type { Systemctl } from "../../services/systemd/systemctl.ts";
import { findUnitInAnyState } from "../../services/unit.ts";
import { planRepair, repair } from "../../services/upstream.ts";
import type { How } from "../../services/ways.ts";
import { takeEffect } from "./effect.ts";
import { CommandError, endingOf, exitCodes, type StandardStreams } from "./output.ts";
import { bpf, identityOf, openLauncher, openSystemctl, run } from "./surroundings.ts";

export type EnableOptions = {
  readonly user?: boolean;
  readonly runtime?: boolean;
  readonly now?: boolean;
  readonly dryRun?: boolean;
  readonly force?: boolean;
  readonly repair?: boolean;
  readonly how?: How;
};

export async function runEnable(
  units: readonly string[],
  options: EnableOptions,
  streams: StandardStreams,
): Promise<number> {
  const { user = false, runtime = false, now = false, dryRun = false, force = false, how = "auto" } = options;
  const { repair = false } = options;
  requireRights("enable", user);
  const systemctl = openSystemctl(user);
  const sources = {
    systemctl,
    launcher: openLauncher(),
    identityOf,
    user,
    directories: dropInDirectories({ user }),
    bpf,
  };
  return forEachUnit(units, streams, async (given) => {
    const act = async () => {
      // Refused before anything is changed.
      if (repair) await enable(given, { how, runtime, force, dryRun: true, repair }, sources);
      const repaired = repair && (await repairUnit(given, dryRun, systemctl, streams));
      const enabled = await enable(given, { how, runtime, force, dryRun, repair }, sources);
      return { ...enabled, changed: enabled.changed || repaired };
    };
    const { unit, plan, files, changed } = await (dryRun ? act() : exclusively(sources.directories, act));
    const dropIns = [...unit.dropIns, ...files.map(({ path }) => path)];
    for (const note of [...plan.notes, ...exposureOf(unit.name, dropIns)]) streams.warn(note);
    if (dryRun) {
      for (const { path, text } of files) streams.write(`# ${path}\n${text}`);
      return;
    }
    if (changed) streams.write(`mptcp successfully enabled on unit ${unit.fragment}\n`);
    else streams.write(`${unit.name} is already enabled: nothing has changed\n`);
    if (changed || now) await takeEffect(unit, { now, user, state: "enabled" }, systemctl, streams);
  });
}

export type DisableOptions = {
  readonly user?: boolean;
  readonly now?: boolean;
  readonly dryRun?: boolean;
  readonly force?: boolean;
  readonly repair?: boolean;
};

export async function runDisable(
  units: readonly string[],
  options: DisableOptions,
  streams: StandardStreams,
): Promise<number> {
  const { user = false, now = false, dryRun = false, force = false } = options;
  requireRights("disable", user);
  const systemctl = openSystemctl(user);
  // The user's own manager has no BPF way.
  const forgetBpf = user ? async () => {} : bpf.forget;
  const directories = dropInDirectories({ user });
  const sources = { systemctl, directories, forgetBpf };
  return forEachUnit(units, streams, async (given) => {
    const act = async () => {
      // Refused before anything is changed.
      if (options.repair) await disable(given, { force, dryRun: true }, sources);
      const repaired = options.repair === true && (await repairUnit(given, dryRun, systemctl, streams));
      return { repaired, ...(await disable(given, { force, dryRun }, sources)) };
    };
    const { unit, removed, forgotten, repaired, stillEnabledBy } = await (dryRun
      ? act()
      : exclusively(directories, act));
    if (stillEnabledBy !== undefined)
      streams.warn(`${unit.name} stays enabled by its template: mptcpize disable ${stillEnabledBy}`);
    const changed = repaired || removed.length + forgotten.length > 0;
    if (dryRun) {
      for (const path of removed) streams.write(`would remove ${path}\n`);
      for (const path of forgotten) streams.write(`would have systemd forget ${path}, which is gone\n`);
    }
    if (!changed) streams.write(`${unit.name} is not enabled: nothing to do\n`);
    if (dryRun || !changed) return;
    streams.write(`mptcp successfully disabled on unit ${unit.fragment ?? unit.name}\n`);
    await takeEffect(unit, { now, user, state: "disabled" }, systemctl, streams);
  });
}

/** Several units, each on its own. @returns the exit code: 1 if any of them failed */
async function forEachUnit(
  units: readonly string[],
  streams: StandardStreams,
  act: (unit: string) => Promise<void>,
): Promise<number> {
  let exitCode: number = exitCodes.ok;
  for (const unit of units)
    try {
      await act(unit);
    } catch (error) {
      const { line } = endingOf(error);
      if (line !== undefined) streams.warn(line);
      exitCode = exitCodes.failed;
    }
  return exitCode;
}

/** Before anything is done by halves. */
function requireRights(command: string, user: boolean): void {
  if (!user && process.geteuid?.() !== 0)
    throw new CommandError("EPERM", `${command} takes root; --user is for units of your own service manager`);
}

/** `--repair`: shows what the C mptcpize left in a unit file, and takes it out. @returns whether there was something */
async function repairUnit(
  given: string,
  dryRun: boolean,
  systemctl: Systemctl,
  streams: StandardStreams,
): Promise<boolean> {
  const found = await planRepair(await findUnitInAnyState(given, systemctl), run);
  if (found === undefined) return false;
  streams.write(found.diff);
  if (!dryRun) await repair(found, systemctl);
  if (found.package !== undefined)
    streams.warn(
      `the C mptcpize also deleted other Environment= lines, if ${found.path} had any: reinstalling the package ${found.package} brings them back`,
    );
  return true;
}
