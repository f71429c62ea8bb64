import assert from "node:assert/strict";
import type { Host } from "../../src/lab/kit/host.ts";
import { waitFor } from "../../src/lab/kit/wait.ts";
import { launcher } from "./launcher.ts";

/** Runs a command to its end by `mptcpize run` and gives its stdout. */
export function runMptcpized(host: Host, ...command: readonly string[]): Promise<string> {
  return host.run(launcher, "run", ...command);
}

/**
 * Starts a server by `mptcpize run`, uses it as soon as the kernel has an MPTCP listener on that port, and stops it by
 * SIGTERM: a server that is killed leaves its workers behind.
 */
export async function withServer(
  host: Host,
  port: number,
  command: readonly string[],
  use: () => Promise<void>,
): Promise<void> {
  const server = host.spawn(launcher, ["run", ...command]);
  try {
    await waitFor(
      `an MPTCP listener on port ${port} of ${command.join(" ")}`,
      async () => server.exit ?? (await listeners(host, "mptcp")).includes(port),
      { deadlineMs: 10_000 },
    );
    assert.equal(server.exit, undefined, server.output);
    await use();
  } finally {
    await server.stop();
  }
}

/** The ports that a host listens on by this protocol. A listener of MPTCP has one of TCP inside, which is left out. */
export async function listeners(host: Host, protocol: "mptcp" | "tcp"): Promise<number[]> {
  const option = protocol === "mptcp" ? "-HMln" : "-Htlni";
  const output = await host.run("ss", option);
  return output
    .split(/\n(?=\S)/)
    .filter((row) => row !== "" && !row.includes("tcp-ulp-mptcp"))
    .map((row) => Number(row.match(/:(\d+)\s/)?.[1]));
}

/** Fails unless the host has accepted connections, every one of them with MPTCP at both ends. */
export async function assertAllMptcp(host: Host): Promise<void> {
  const accepted = await counter(host, "snmp", "Tcp", "PassiveOpens");
  const capable = await counter(host, "netstat", "MPTcpExt", "MPCapableACKRX");
  assert.ok(accepted > 0, "it has accepted a connection");
  assert.equal(capable, accepted, "connections that speak MPTCP, of those accepted");
}

async function counter(host: Host, file: string, group: string, name: string): Promise<number> {
  const table = await host.run("cat", `/proc/net/${file}`);
  const [names = [], values = []] = table
    .split("\n")
    .filter((row) => row.startsWith(`${group}: `))
    .map((row) => row.split(" "));
  return Number(values[names.indexOf(name)]);
}
