/** `mptcpize enable` and `mptcpize disable`. */

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
      // A trial run first, so that a refusal comes before any change.
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
  // Units of a user's own manager never use the BPF way.
  const forgetBpf = user ? async () => {} : bpf.forget;
  const directories = dropInDirectories({ user });
  const sources = { systemctl, directories, forgetBpf };
  return forEachUnit(units, streams, async (given) => {
    const act = async () => {
      // A trial run first, so that a refusal comes before any change.
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
      for (const path of forgotten) streams.write(`would make systemd forget ${path}, which is gone\n`);
    }
    if (!changed) streams.write(`${unit.name} is not enabled: nothing to do\n`);
    if (dryRun || !changed) return;
    streams.write(`mptcp successfully disabled on unit ${unit.fragment ?? unit.name}\n`);
    await takeEffect(unit, { now, user, state: "disabled" }, systemctl, streams);
  });
}

/** Acts on each unit; a failure does not stop the others. @returns the exit code: 1 if any unit failed */
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

/** Checked first, so that nothing is done by halves. */
function requireRights(command: string, user: boolean): void {
  if (!user && process.geteuid?.() !== 0)
    throw new CommandError(
      "EPERM",
      `${command} needs root; for units of your own service manager use --user`,
    );
}

/** `--repair`: shows what the C mptcpize left in a unit file, and removes it. @returns whether it left anything */
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
      `if ${found.path} had other Environment= lines, the C mptcpize deleted them; reinstall the package ${found.package} to get them back`,
    );
  return true;
}
