/** Makes a unit use MPTCP from its next start: facts, plan, files, and a look at what systemd made of them. */

import { messageOf } from "../base/errors.ts";
import {
  type DropInDirectories,
  dropInPath,
  environmentFileBeside,
  type Plan,
  readDropIn,
} from "./drop-in.ts";
import {
  type File,
  install,
  refuseForeign,
  refuseUnwritable,
  renderFiles,
  uninstall,
} from "./installation.ts";
import { Refusal } from "./refusal.ts";
import { type FactSources, gatherServiceFacts } from "./service-facts.ts";
import { planBpf, planService } from "./service-plan.ts";
import { gatherSocketFacts, planSocket } from "./socket-plan.ts";
import type { Systemctl } from "./systemd/systemctl.ts";
import { findUnit, type LoadedUnit } from "./unit.ts";
import { takeSnapshot, verify } from "./verification.ts";
import type { How } from "./ways.ts";

export type EnableOptions = {
  readonly how: How;
  /** Until the next boot only. */
  readonly runtime: boolean;
  /** Replaces a drop-in that somebody has edited. */
  readonly force: boolean;
  /** Decides everything, and changes nothing. */
  readonly dryRun: boolean;
  /** What the C mptcpize wrote into the unit file is going to be taken out first. */
  readonly repair: boolean;
};

export type EnableSources = FactSources & {
  readonly directories: DropInDirectories;
  readonly bpf: BpfWay;
};

export type BpfWay = {
  /** What a start of the unit has to run. */
  readonly attachCommand: readonly string[];
  /** Throws where this kernel does not take the program. */
  check(): Promise<void>;
};

/** What is decided. */
type Decision = {
  readonly unit: LoadedUnit;
  readonly plan: Plan;
  /** The drop-in last. */
  readonly files: readonly File[];
};

export type Enabled = Decision & {
  /** False if the unit was enabled so already, or nothing was to be changed. */
  readonly changed: boolean;
};

export async function enable(
  given: string,
  options: EnableOptions,
  sources: EnableSources,
): Promise<Enabled> {
  const { systemctl, directories } = sources;
  const unit = await findFreshUnit(given, options, systemctl);
  if (options.runtime) refuseIfHidden(unit, directories);
  const directory = options.runtime ? directories.runtime : directories.persistent;
  const path = dropInPath(directory, unit.name);
  refuseUnwritable(path);
  refuseForeign(path, options.force);
  const plan = await planFor(unit, environmentFileBeside(path), options, sources);
  const files = renderFiles(directory, unit.name, plan);
  const decision = { unit, plan, files };
  if (options.dryRun) return { ...decision, changed: false };
  const hidden = options.runtime ? undefined : dropInPath(directories.runtime, unit.name);
  return { ...decision, changed: await apply(decision, { path, hidden }, systemctl) };
}

/**
 * What systemd has in mind must be what is in the files. NeedDaemonReload does not tell: systemd has not seen
 * directories of drop-ins that are new (its unit_path_cache).
 */
async function findFreshUnit(given: string, { dryRun }: EnableOptions, systemctl: Systemctl) {
  const unit = await findUnit(given, systemctl);
  if (dryRun) return unit;
  await systemctl.daemonReload();
  return findUnit(given, systemctl);
}

/** Of two drop-ins of one name, systemd takes the one in /etc, even if that is the template's. */
function refuseIfHidden({ name, templateName }: LoadedUnit, { persistent }: DropInDirectories): void {
  for (const unit of [name, templateName]) {
    if (unit === undefined) continue;
    const path = dropInPath(persistent, unit);
    if (readDropIn(path) !== undefined)
      throw new Refusal(
        `${name} is enabled for good already, by ${path}: \`mptcpize disable ${unit}\` comes first`,
      );
  }
}

async function planFor(
  unit: LoadedUnit,
  environmentFile: string,
  { how, repair }: EnableOptions,
  sources: EnableSources,
): Promise<Plan> {
  if (unit.type === "socket") {
    if (how !== "auto") throw new Refusal(`${unit.name} is a socket unit: --how=${how} is for services`);
    return planSocket(await gatherSocketFacts(unit, sources.systemctl));
  }
  const facts = await gatherServiceFacts(unit, { how, repaired: repair }, sources);
  if (how === "bpf" && sources.user)
    throw new Refusal(`${unit.name}: --how=bpf takes root, which the user's own service manager has not`);
  if (how !== "bpf") return planService(facts, { how, launcher: sources.launcher.path, environmentFile });
  const plan = planBpf(facts, sources.bpf.attachCommand);
  await sources.bpf.check();
  return plan;
}

/**
 * @param path of the drop-in
 * @param hidden where a drop-in of ours has no effect any more, if there is one
 * @returns whether a file is another one now
 */
async function apply(
  { unit, plan, files }: Decision,
  { path, hidden }: { readonly path: string; readonly hidden: string | undefined },
  systemctl: Systemctl,
): Promise<boolean> {
  const before = await takeSnapshot(unit.name, systemctl);
  const { changed, undo } = install(files, path);
  try {
    if (changed) await systemctl.daemonReload();
    const after = await takeSnapshot(unit.name, systemctl);
    verify(unit.name, before, after, { path, plan });
    if (hidden !== undefined && readDropIn(hidden)?.edited === false) uninstall(hidden);
  } catch (error) {
    await takeBack(undo, systemctl, error);
    throw error;
  }
  return changed;
}

/** The reason for it is told in any case. */
async function takeBack(undo: () => void, systemctl: Systemctl, reason: unknown): Promise<void> {
  try {
    try {
      undo();
    } finally {
      await systemctl.daemonReload();
    }
  } catch (error) {
    throw new Refusal(`${messageOf(reason)}; taking it back has failed: ${messageOf(error)}`, {
      cause: reason,
    });
  }
}
