/** When a change of a unit takes effect: at its next start, which `--now` brings about. */
import type { Unit } from "../services/unit.ts";
import { type Systemctl, SystemctlError } from "../systemd/systemctl.ts";
import type { Context } from "./context.ts";
import { CommandError } from "./exit.ts";

export type EffectOptions = {
  readonly now: boolean;
  readonly user: boolean;
  /** What the unit is now, and stays if the restart fails. */
  readonly state: "enabled" | "disabled";
};

export async function takeEffect(
  unit: Unit,
  { now, user, state }: EffectOptions,
  systemctl: Systemctl,
  context: Context,
): Promise<void> {
  // There is no next start of a unit that is gone.
  if (unit.fragment === undefined) return;
  const services = unit.type === "socket" ? await triggeredServices(unit, systemctl) : [];
  if (!now) {
    context.write(`${nextStep(unit, services, user ? "systemctl --user" : "systemctl")}\n`);
    return;
  }
  try {
    await restart(unit, services, systemctl);
  } catch (error) {
    if (!(error instanceof SystemctlError)) throw error;
    const back = `mptcpize ${state === "enabled" ? "disable" : "enable"} --now${user ? " --user" : ""}`;
    throw new CommandError(
      "RESTART",
      `${error.message}; ${unit.name} stays ${state}: \`${back} ${quoted(unit.name)}\` takes that back`,
    );
  }
}

async function triggeredServices({ name }: Unit, systemctl: Systemctl): Promise<string[]> {
  const shown = await systemctl.show(name, ["Triggers"]);
  return (shown.get("Triggers")?.[0] ?? "").split(" ").filter((service) => service !== "");
}

/** Only what runs is started again. */
async function restart(unit: Unit, services: readonly string[], systemctl: Systemctl): Promise<void> {
  // systemd does not start a socket whose service is running.
  const running: string[] = [];
  for (const service of services) if (await systemctl.isActive(service)) running.push(service);
  await systemctl.stop(running);
  try {
    await systemctl.tryRestart([pattern(unit)]);
  } finally {
    await systemctl.start(running);
  }
}

function nextStep(unit: Unit, services: readonly string[], command: string): string {
  const stop = services.length === 0 ? "" : `${command} stop ${services.join(" ")} && `;
  return `it takes effect at the next start: ${stop}${command} restart ${quoted(pattern(unit))}`;
}

/** All instances of a template. */
function pattern({ name, template }: Unit): string {
  return template ? name.replace("@.", "@*.") : name;
}

/** For a shell to read: names may hold a backslash ("\x2d"), patterns a star. */
function quoted(name: string): string {
  return /^[\w@.:-]+$/.test(name) ? name : `'${name}'`;
}
