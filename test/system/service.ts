/** What the tests of mptcpd's units do with them, and see of them. */
import assert from "node:assert/strict";
import { defaultDeadlineMs, waitFor } from "../../src/lab/kit/wait.ts";
import type { BootedSystem } from "../lab/booted-system.ts";
import { write } from "./units.ts";

export const unit = "mptcp.service";
export const configFile = "/etc/mptcpd/mptcpd.conf";

/** Far longer than a watchdog waits in these tests, a restart (RestartSec=) and a start take together. */
export const restartDeadlineMs = defaultDeadlineMs;

/** In a network namespace, or in that of the system. */
export function inNamespace(name: string | undefined): readonly string[] {
  return name === undefined ? [] : ["ip", "netns", "exec", name];
}

/** A way out for the host: a link with a carrier and an address, whose other end is nobody's. */
export async function addUplink(
  system: BootedSystem,
  device: string,
  address: string,
  namespace?: string,
): Promise<void> {
  const there = namespace === undefined ? [] : ["-netns", namespace];
  const run = (...args: readonly string[]) => system.run("ip", ...there, ...args);
  // In a virtual machine it may be there, of the tests before.
  await system.outcome("ip", ...there, "link", "delete", device);
  await run("link", "add", device, "type", "veth", "peer", "name", `${device}-far`);
  for (const end of [device, `${device}-far`]) await run("link", "set", end, "addrgenmode", "none", "up");
  await run("address", "add", address, "dev", device);
  await waitForCarrier(system, device, namespace);
}

/** It is the kernel's own worker that says of a link that it has one, when it comes to it (net/core/link_watch.c). */
export async function waitForCarrier(
  system: BootedSystem,
  device: string,
  namespace?: string,
): Promise<void> {
  const [command = "ip", ...args] = [...inNamespace(namespace), "ip", "link", "show", "dev", device];
  await waitFor(`${device} to have a carrier`, () => system.run(command, ...args), {
    until: (shown) => shown.includes(" state UP "),
  });
}

/** Has both endpoints become backups by a reload. */
export async function reloadAsBackups(system: BootedSystem): Promise<void> {
  await configure(system, "[core]\naddr-flags=subflow,backup\n");
  await system.run("systemctl", "reload", unit);
  await waitFor("both endpoints to be backups", () => endpoints(system), {
    until: (lines) => lines.length === 2 && lines.every((line) => line.includes(" backup ")),
  });
}

export async function configure(system: BootedSystem, text: string): Promise<void> {
  await write(system, { [configFile]: text });
}

/** `ip mptcp endpoint`: "10.1.0.1 id 1 subflow dev up1", sorted. */
export async function endpoints(system: BootedSystem, namespace?: string): Promise<readonly string[]> {
  const [command = "ip", ...args] = [...inNamespace(namespace), "ip", "mptcp", "endpoint"];
  const lines = (await system.run(command, ...args)).split("\n").map((line) => line.trim());
  return lines.filter((line) => line !== "").sort();
}

/** The addresses among them. */
export async function endpointAddresses(
  system: BootedSystem,
  namespace?: string,
): Promise<readonly string[]> {
  return (await endpoints(system, namespace)).map((line) => line.split(" ")[0] ?? "");
}

/** A property of a unit, as `systemctl show` has it. */
export async function property(system: BootedSystem, name: string, of = unit): Promise<string> {
  return (await system.run("systemctl", "show", `--property=${name}`, "--value", of)).trim();
}

export async function mainPid(system: BootedSystem, of = unit): Promise<string> {
  return property(system, "MainPID", of);
}

/** What was logged since the unit was last started, the manager's own messages included. */
export async function journal(system: BootedSystem, of = unit): Promise<readonly string[]> {
  const invocation = await property(system, "InvocationID", of);
  return lines(system, `_SYSTEMD_INVOCATION_ID=${invocation}`, "+", `INVOCATION_ID=${invocation}`);
}

async function lines(system: BootedSystem, ...matches: readonly string[]): Promise<readonly string[]> {
  // What is on its way to the journal is not in it yet.
  await system.run("journalctl", "--sync");
  const text = await system.run("journalctl", "--output=cat", "--no-pager", ...matches);
  return text.split("\n").filter((line) => line !== "");
}

/** Waits for a message that matches, and gives it. */
export function logged(system: BootedSystem, pattern: RegExp, of = unit): Promise<string> {
  return waitFor(`${of} to log ${pattern}`, async () =>
    (await journal(system, of)).find((line) => pattern.test(line)),
  );
}

/** The service is at work, as another process than before. */
export async function waitForRestart(system: BootedSystem, before: string): Promise<void> {
  await waitFor(
    `${unit} to be active again`,
    // Both at once: what is told one after the other need not have been true together.
    async () => (await system.run("systemctl", "show", "--property=ActiveState,MainPID", unit)).split("\n"),
    {
      until: (said) =>
        said.includes("ActiveState=active") &&
        !said.includes(`MainPID=${before}`) &&
        !said.includes("MainPID=0"),
      deadlineMs: restartDeadlineMs,
    },
  );
}

/** Stopped, without endpoints, its own configuration or drop-ins: as after the installation. */
export async function reset(system: BootedSystem): Promise<void> {
  await system.outcome("systemctl", "stop", unit);
  await system.run("rm", "--recursive", "--force", `/etc/systemd/system/${unit}.d`);
  await configure(system, "");
  await system.run("systemctl", "reset-failed");
  await system.run("systemctl", "clean", "--what=runtime", unit);
  await system.run("ip", "mptcp", "endpoint", "flush");
}

export async function dropIn(system: BootedSystem, ...lines: readonly string[]): Promise<void> {
  await write(system, { [`/etc/systemd/system/${unit}.d/50-test.conf`]: `[Service]\n${lines.join("\n")}\n` });
}

export async function start(system: BootedSystem): Promise<void> {
  const { code, stderr } = await system.outcome("systemctl", "start", unit);
  assert.equal(code, 0, stderr);
}
