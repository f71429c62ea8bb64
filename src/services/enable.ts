/** Makes a unit use MPTCP from its next start: facts, plan, files, and a look at what systemd made of them. */
import type { Systemctl } from "../systemd/systemctl.ts";
import { type DropInDirectories, dropInPath, environmentFileBeside, readDropIn } from "./drop-in.ts";
import { type File, install, refuseForeign, renderFiles } from "./installation.ts";
import type { Plan } from "./plan.ts";
import { Refusal } from "./refusal.ts";
import { type FactSources, gatherServiceFacts } from "./service-facts.ts";
import { planBpf, planService } from "./service-plan.ts";
import { gatherSocketFacts, planSocket } from "./socket-plan.ts";
import { findUnit, type LoadedUnit } from "./unit.ts";
import { takeSnapshot, verify } from "./verification.ts";
import type { How } from "./way.ts";

export type EnableOptions = {
  readonly how: How;
  /** Until the next boot only. */
  readonly runtime: boolean;
  /** Replaces a drop-in that somebody has edited. */
  readonly force: boolean;
  /** Decides everything, and changes nothing. */
  readonly dryRun: boolean;
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

export type Enabled = {
  readonly unit: LoadedUnit;
  readonly plan: Plan;
  /** The drop-in last. */
  readonly files: readonly File[];
};

export async function enable(
  given: string,
  options: EnableOptions,
  sources: EnableSources,
): Promise<Enabled> {
  const { systemctl, directories } = sources;
  const unit = await findFreshUnit(given, options, systemctl);
  if (options.runtime) refuseIfHidden(unit.name, directories);
  const directory = options.runtime ? directories.runtime : directories.persistent;
  const path = dropInPath(directory, unit.name);
  refuseForeign(path, options.force);
  const plan = await planFor(unit, environmentFileBeside(path), options, sources);
  const files = renderFiles(directory, unit.name, plan);
  if (!options.dryRun) await apply({ unit, plan, files }, path, systemctl);
  return { unit, plan, files };
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

/** Of two drop-ins of one name, systemd takes the one in /etc. */
function refuseIfHidden(unit: string, { persistent }: DropInDirectories): void {
  const path = dropInPath(persistent, unit);
  if (readDropIn(path) !== undefined)
    throw new Refusal(
      `${unit} is enabled for good already, by ${path}: \`mptcpize disable ${unit}\` comes first`,
    );
}

async function planFor(
  unit: LoadedUnit,
  environmentFile: string,
  { how }: EnableOptions,
  sources: EnableSources,
): Promise<Plan> {
  if (unit.type === "socket") {
    if (how !== "auto") throw new Refusal(`${unit.name} is a socket unit: --how=${how} is for services`);
    return planSocket(await gatherSocketFacts(unit, sources.systemctl));
  }
  const facts = await gatherServiceFacts(unit, how, sources);
  if (how === "bpf" && sources.user)
    throw new Refusal(`${unit.name}: --how=bpf takes root, which the user's own service manager has not`);
  if (how !== "bpf") return planService(facts, { how, launcher: sources.launcher.path, environmentFile });
  const plan = planBpf(facts, sources.bpf.attachCommand);
  await sources.bpf.check();
  return plan;
}

async function apply({ unit, plan, files }: Enabled, path: string, systemctl: Systemctl): Promise<void> {
  const before = await takeSnapshot(unit.name, systemctl);
  const undo = install(files, path);
  try {
    await systemctl.daemonReload();
    const after = await takeSnapshot(unit.name, systemctl);
    verify(unit.name, before, after, { path, plan });
  } catch (error) {
    undo();
    await systemctl.daemonReload();
    throw error;
  }
}
