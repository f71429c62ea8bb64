/** A peer that a booted system has two links to, in a network namespace of it; they speak MPTCP by dist/lab.js. */
import { join } from "node:path";
import { waitFor } from "../../src/lab/kit/wait.ts";
import type { BootedSystem } from "../lab/booted-system.ts";
import { waitForCarrier } from "./service.ts";

const namespace = "peer";

/** Where an MPTCP connection is opened or taken: in the peer, or in the system itself. */
export type Side = "peer" | "system";

/** Links up1 and up2: 10.1.0.1 and 10.2.0.1 are the system's, 10.1.0.2 and 10.2.0.2 the peer's. */
export async function addPeer(system: BootedSystem): Promise<void> {
  await system.run("ip", "netns", "add", namespace);
  for (const n of [1, 2]) {
    await system.run("ip", "link", "add", `up${n}`, "type", "veth", "peer", `to${n}`, "netns", namespace);
    const ends = [
      [[], `up${n}`, `10.${n}.0.1/24`],
      [["-netns", namespace], `to${n}`, `10.${n}.0.2/24`],
    ] as const;
    for (const [there, device, address] of ends) {
      await system.run("ip", ...there, "address", "add", address, "dev", device);
      await system.run("ip", ...there, "link", "set", device, "up");
    }
    await waitForCarrier(system, `up${n}`);
  }
  const limits = ["mptcp", "limits", "set", "subflows", "8", "add_addr_accepted", "8"];
  await system.run("ip", "-netns", namespace, ...limits);
}

/** Opens a connection from one side to 10.1.0.1 or 10.1.0.2, the address of the other; it stays until `hangUp`. */
export async function connect(system: BootedSystem, from: Side): Promise<void> {
  const [server, address]: [Side, string] = from === "peer" ? ["system", "10.1.0.1"] : ["peer", "10.1.0.2"];
  await spawn(system, server, "test-echo", "echo");
  await said(system, "test-echo", /^listening$/m);
  await spawn(system, from, "test-connect", "connect", address);
  await said(system, "test-connect", /^[0-9a-f]{8} 10\.1\.0\.\d port \d+ > /m);
}

export async function hangUp(system: BootedSystem): Promise<void> {
  for (const unit of ["test-connect", "test-echo"]) await system.outcome("systemctl", "stop", unit);
}

/** The subflows that the peer has established: "10.2.0.1" for each, the address of the system's end. */
export async function subflows(system: BootedSystem): Promise<readonly string[]> {
  const args = ["-Htn", "state", "established", "not", "dst", "127.0.0.1"];
  const rows = await system.run("ip", "netns", "exec", namespace, "ss", ...args);
  const ends = rows.split("\n").filter((row) => row !== "");
  return ends
    .map(
      (row) =>
        row
          .trim()
          .split(/\s+/)
          .at(3)
          ?.replace(/^\[::ffff:|\]|:\d+$/g, "") ?? "",
    )
    .sort();
}

/** Waits until there is one at each of these addresses. */
export function subflowsAt(system: BootedSystem, ...addresses: readonly string[]): Promise<unknown> {
  return waitFor("the subflows to be there", () => subflows(system), {
    until: (found) => found.join() === addresses.join(),
  });
}

async function spawn(system: BootedSystem, side: Side, unit: string, ...args: readonly string[]) {
  const where = side === "peer" ? [`--property=NetworkNamespacePath=/run/netns/${namespace}`] : [];
  const options = ["--quiet", "--collect", `--unit=${unit}`, ...where];
  await system.run("systemd-run", ...options, system.node, join(system.checkout, "dist/lab.js"), ...args);
}

async function said(system: BootedSystem, unit: string, pattern: RegExp): Promise<void> {
  await waitFor(
    `${unit} to say ${pattern}`,
    async () => {
      const invocation = await system.run("systemctl", "show", "--property=InvocationID", "--value", unit);
      return system.run(
        "journalctl",
        "--no-pager",
        "--output=cat",
        `_SYSTEMD_INVOCATION_ID=${invocation.trim()}`,
      );
    },
    { until: (text) => pattern.test(text) },
  );
}
