/** A change of a unit takes effect at its next start. `--now` restarts the unit at once. */

import { Properties, type Systemctl, SystemctlError } from "../../services/systemd/systemctl.ts";
import { restartable, shellWord } from "../../services/systemd/unit-name.ts";
import { acceptingSocket, type Unit } from "../../services/unit.ts";
import { CommandError, type StandardStreams } from "./output.ts";

export type EffectOptions = {
  readonly now: boolean;
  readonly user: boolean;
  /** The new state of the unit. It stays if the restart fails. */
  readonly state: "enabled" | "disabled";
};

export async function takeEffect(
  unit: Unit,
  { now, user, state }: EffectOptions,
  systemctl: Systemctl,
  streams: StandardStreams,
): Promise<void> {
  // A unit that is gone never starts again.
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
      `${error.message}; ${unit.name} stays ${state}; \`${back} ${shellWord(unit.name)}\` undoes this`,
    );
  }
}

/** The services that hold the sockets. With Accept=yes there are none: each instance only has its own connection. */
async function triggeredServices({ name }: Unit, systemctl: Systemctl): Promise<string[]> {
  const shown = new Properties(await systemctl.show(name, ["Triggers", "Accept"]));
  return shown.yes("Accept") ? [] : shown.words("Triggers");
}

/** Restarts only what was running. */
async function restart(unit: Unit, services: readonly string[], systemctl: Systemctl): Promise<void> {
  // systemd does not start a socket while its service runs, so stop the service first.
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
