import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { openInNetworkNamespace } from "../../src/kernel/network-namespace.ts";
import { Sockets } from "../../src/kernel/sockets.ts";
import type { Host } from "../../src/lab/kit/host.ts";
import { Lab, twoPaths } from "../../src/lab/kit/lab.ts";
import { requires } from "../../src/lab/kit/requires.ts";
import { startTraffic } from "../../src/lab/kit/traffic.ts";

/** What docs/troubleshooting.md says of net.mptcp.checksum_enabled. */
describe("checksums of data", { skip: requires({ root: true }) }, () => {
  for (const side of ["client", "server"] as const)
    it(`are in force at both ends of new connections if the ${side} alone asks for them`, async (t) => {
      const hosts = await twoPaths(await Lab.create(t));
      const connect = () =>
        startTraffic({ from: hosts.client, to: hosts.server, address: "10.0.1.1", rate: 1_000_000 });
      const before = await connect();
      await hosts[side].sysctl("net.mptcp.checksum_enabled", 1);
      const after = await connect();
      for (const host of [hosts.client, hosts.server])
        assert.deepEqual(await checksums(host, [before.port, after.port]), [0, 1]);
      await before.finish();
      await after.finish();
    });
});

/** Whether the connections with these ports of the server use them. */
async function checksums(host: Host, ports: readonly number[]): Promise<(number | undefined)[]> {
  const sockets = openInNetworkNamespace(host.path, () => Sockets.open());
  try {
    const connections = await sockets.dumpConnections();
    return ports.map(
      (port) =>
        connections.find(({ local, remote }) => local.port === port || remote.port === port)?.info
          .checksumEnabled,
    );
  } finally {
    sockets.close();
  }
}
