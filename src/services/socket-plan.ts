/** Decides how to make a socket unit listen with MPTCP. Pure, except for the questions to systemd at the top. */

import type { Plan } from "./drop-in.ts";
import { Refusal } from "./refusal.ts";
import { Properties, type Systemctl } from "./systemd/systemctl.ts";
import { shellWord } from "./systemd/unit-name.ts";
import type { Assignment } from "./systemd/unit-syntax.ts";
import {
  type LoadedUnit,
  overriding,
  ownSettings,
  readUnitFiles,
  settings,
  type Unit,
  type UnitFiles,
  withDropIn,
} from "./unit.ts";
import { versionWithSocketProtocol } from "./ways.ts";

export type SocketFacts = {
  readonly unit: Unit;
  /** Without the drop-ins of mptcpize. */
  readonly files: UnitFiles;
  /** Where it listens: "[::]:80 (Stream)". */
  readonly listen: readonly string[];
  /** The services that it starts, except instances that have one connection each. */
  readonly services: readonly string[];
  /** Whether systemd accepts its connections. */
  readonly accept: boolean;
  readonly systemdVersion: number;
};

export async function gatherSocketFacts(unit: LoadedUnit, systemctl: Systemctl): Promise<SocketFacts> {
  const properties = new Properties(await systemctl.show(unit.name, ["Listen", "Triggers", "Accept"]));
  return {
    unit,
    files: readUnitFiles(unit.fragment, unit.dropIns),
    listen: properties.lines("Listen"),
    services: properties.yes("Accept") ? [] : properties.words("Triggers"),
    accept: properties.yes("Accept"),
    systemdVersion: await systemctl.version(),
  };
}

export function planSocket(facts: SocketFacts): Plan {
  const { unit, files, listen, systemdVersion } = facts;
  const other = listen.find((entry) => !isIpStream(entry));
  if (other !== undefined)
    throw new Refusal(
      `${unit.name} listens on ${other}: MPTCP needs a stream over IP, and SocketProtocol= applies to all sockets of a unit`,
    );
  if (systemdVersion < versionWithSocketProtocol) throw tooOld(facts);
  const own = effectiveProtocol(files.assignments);
  if (own !== undefined)
    throw new Refusal(`${unit.name} already sets SocketProtocol=${own.value} in ${own.file}:${own.line}`);
  const lines = ["SocketProtocol=mptcp"];
  const effective = effectiveProtocol(withDropIn(files, ownSettings("Socket", lines)));
  if (effective?.value !== "mptcp")
    throw overriding(unit.name, files, "SocketProtocol=", ({ key }) => key === "SocketProtocol");
  return { way: "socket", section: "Socket", lines, notes: [] };
}

/** "[::]:80 (Stream)"; not "/run/x.sock (Stream)", "@abstract (Stream)", "vsock::1 (Stream)", "[::]:53 (Datagram)". */
function isIpStream(entry: string): boolean {
  return /^(?:\[[^\]]*\]|[\d.]+):\d+\S* \(Stream\)$/.test(entry);
}

/** The SocketProtocol= setting that takes effect, if any. */
export function effectiveProtocol(assignments: readonly Assignment[]): Assignment | undefined {
  const last = settings(assignments, "Socket", "SocketProtocol").at(-1);
  return last?.value === "" ? undefined : last;
}

function tooOld({ unit: { name }, services, accept, systemdVersion }: SocketFacts): Refusal {
  const what = `${name}: systemd ${systemdVersion} cannot make MPTCP sockets (SocketProtocol=mptcp needs ${versionWithSocketProtocol})`;
  if (accept)
    return new Refusal(
      `${what}, and with Accept=yes no service can listen in its place: use a server that listens by itself`,
    );
  const service = services[0] ?? name.replace(/\.socket$/, ".service");
  const commands = `systemctl disable --now ${shellWord(name)} && mptcpize enable ${shellWord(service)}`;
  return new Refusal(`${what}; if ${service} can listen by itself: ${commands}`);
}
