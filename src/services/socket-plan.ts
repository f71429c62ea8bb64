/** Decides what makes a socket unit listen with MPTCP. Pure, but for what is asked of systemd at the top. */
import type { Systemctl } from "../systemd/systemctl.ts";
import type { Assignment } from "../systemd/unit-file.ts";
import { overriding, ownSettings } from "./overriding.ts";
import { type Plan, versionWithSocketProtocol } from "./plan.ts";
import { Properties } from "./properties.ts";
import { Refusal } from "./refusal.ts";
import type { LoadedUnit, Unit } from "./unit.ts";
import { readUnitFiles, settings, type UnitFiles, withDropIn } from "./unit-files.ts";

export type SocketFacts = {
  readonly unit: Unit;
  /** Without what mptcpize wrote. */
  readonly files: UnitFiles;
  /** What it listens on: "[::]:80 (Stream)". */
  readonly listen: readonly string[];
  /** The services that it starts. */
  readonly services: readonly string[];
  readonly systemdVersion: number;
};

export async function gatherSocketFacts(unit: LoadedUnit, systemctl: Systemctl): Promise<SocketFacts> {
  const properties = new Properties(await systemctl.show(unit.name, ["Listen", "Triggers"]));
  return {
    unit,
    files: readUnitFiles(unit.fragment, unit.dropIns),
    listen: properties.lines("Listen"),
    services: properties.words("Triggers"),
    systemdVersion: await systemctl.version(),
  };
}

export function planSocket({ unit, files, listen, services, systemdVersion }: SocketFacts): Plan {
  const other = listen.find((entry) => !isIpStream(entry));
  if (other !== undefined)
    throw new Refusal(
      `${unit.name} listens on ${other}: MPTCP is for streams over IP, and SocketProtocol= holds for all sockets of a unit`,
    );
  if (systemdVersion < versionWithSocketProtocol) throw tooOld(unit, services, systemdVersion);
  const own = effectiveProtocol(files.assignments);
  if (own !== undefined)
    throw new Refusal(`${unit.name} has SocketProtocol=${own.value} of its own in ${own.file}:${own.line}`);
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

function effectiveProtocol(assignments: readonly Assignment[]): Assignment | undefined {
  const last = settings(assignments, "Socket", "SocketProtocol").at(-1);
  return last?.value === "" ? undefined : last;
}

function tooOld({ name }: Unit, services: readonly string[], version: number): Refusal {
  const service = services[0] ?? name.replace(/\.socket$/, ".service");
  return new Refusal(
    `${name}: systemd ${version} cannot make MPTCP sockets (SocketProtocol=mptcp needs ${versionWithSocketProtocol}); ` +
      `where ${service} can listen by itself: systemctl disable --now ${name} && mptcpize enable ${service}`,
  );
}
