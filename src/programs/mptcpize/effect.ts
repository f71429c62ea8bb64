/** When a change of a unit takes effect: at its next start, which `--now` brings about. */

import { Properties, type Systemctl, SystemctlError } from "../../services/systemd/systemctl.ts";
import { restartable, shellWord } from "../../services/systemd/unit-name.ts";
import { acceptingSocket, type Unit } from "../../services/unit.ts";
import { CommandError, type StandardStreams } from "./output.ts";

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
  streams: StandardStreams,
): Promise<void> {
  // There is no next start of a unit that is gone.
  if (unit.fragment === undefined) return;
  const socket = await acceptingSocket(unit.name, systemctl);
  if (socket !== undefined) {
    // A connection that is being served cannot be handed to another process.
    streams.write(`it takes effect with the next connection that ${socket} accepts\n`);
    return;
  }
  const services = unit.type === "socket" ? await triggeredServices(unit, systemctl) : [];
  if (!now) {
    streams.write(`${nextStep(unit, services, user ? "systemctl --user" : "systemctl")}\n`);
    return;
  }
  try {
    await restart(unit, services, systemctl);
  } catch (error) {
    if (!(error instanceof SystemctlError)) throw error;
    const back = `mptcpize ${state === "enabled" ? "disable" : "enable"} --now${user ? " --user" : ""}`;
    throw new CommandError(
      "RESTART",
      `${error.message}; ${unit.name} stays ${state}: \`${back} ${shellWord(unit.name)}\` takes that back`,
    );
  }
}

/** Those that hold the very sockets. With Accept=yes they are instances that have a connection each. */
async function triggeredServices({ name }: Unit, systemctl: Systemctl): Promise<string[]> {
  const shown = new Properties(await systemctl.show(name, ["Triggers", "Accept"]));
  return shown.yes("Accept") ? [] : shown.words("Triggers");
}

/** Only what runs is started again. */
async function restart(unit: Unit, services: readonly string[], systemctl: Systemctl): Promise<void> {
  // systemd does not start a socket whose service is running.
  const running: string[] = [];
  for (const service of services) if (await systemctl.isActive(service)) running.push(service);
  await systemctl.stop(running);
  try {
    await systemctl.tryRestart([restartable(unit.name)]);
  } finally {
    await systemctl.start(running);
  }
}

function nextStep({ name }: Unit, services: readonly string[], command: string): string {
  const stop = services.length === 0 ? "" : `${command} stop ${services.map(shellWord).join(" ")} && `;
  return `it takes effect at the next start: ${stop}${command} restart ${shellWord(restartable(name))}`;
}
