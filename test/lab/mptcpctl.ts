import assert from "node:assert/strict";
import { join } from "node:path";
import { checkout } from "../../src/lab/kit/checkout.ts";
import type { Host } from "../../src/lab/kit/host.ts";
import type { Lab } from "../../src/lab/kit/lab.ts";
import { CommandError } from "../../src/lab/kit/lab-process.ts";
import { waitFor } from "../../src/lab/kit/wait.ts";

/** This checkout's mptcpctl. */
export const program = join(checkout, "bin/mptcpctl");

export type Outcome = { code: number | string | undefined; stdout: string; stderr: string };

export async function outcome(command: Promise<string>): Promise<Outcome> {
  try {
    return { code: 0, stdout: await command, stderr: "" };
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    return { code: error.code, stdout: "", stderr: error.stderr };
  }
}

export function words(line: string): string[] {
  return line.split(" ").filter((word) => word !== "");
}

export function ctl(host: Host, line: string): Promise<string> {
  return host.run(program, ...words(line));
}

export async function refuses(host: Host, line: string, code: number, message: string | RegExp) {
  const { code: actual, stdout, stderr } = await outcome(ctl(host, line));
  assert.deepEqual({ code: actual, stdout }, { code, stdout: "" }, line);
  if (typeof message === "string") assert.equal(stderr, `mptcpctl: ${message}\n`);
  else assert.match(stderr, message);
  assert.match(stderr, /^mptcpctl: .+\n$/, "one line");
}

/** A host with two interfaces, with addresses to bind to. */
export async function hostWithTwoInterfaces(lab: Lab, name: string): Promise<Host> {
  const host = await lab.host(name);
  await lab.link({ a: [host, "eth1", "10.0.1.2/24", "fd00:1::2/64"] });
  await lab.link({ a: [host, "eth2", "10.0.2.2/24", "fd00:2::2/64"] });
  return host;
}

/** Waits until so many sockets of a host listen to events. */
export async function monitorsListen(host: Host, count: number): Promise<void> {
  const netlinkGeneric = "16";
  await waitFor(
    `${count} monitors`,
    async () => {
      const rows = (await host.run("cat", "/proc/net/netlink")).split("\n").map((row) => row.split(/\s+/));
      return rows.filter(([, protocol, , groups]) => protocol === netlinkGeneric && groups !== "00000000")
        .length;
    },
    { until: (listening) => listening === count },
  );
}
