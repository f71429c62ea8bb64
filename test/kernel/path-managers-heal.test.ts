import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import type { Host } from "../../src/lab/kit/host.ts";
import { requires } from "../../src/lab/kit/requires.ts";
import { waitFor } from "../../src/lab/kit/wait.ts";
import { ManagedHost } from "../lab/managed-host.ts";

const CONNECTIONS = 60;
const config = "[core]\npath-manager=addr_adv,heal\n[path v6]\nmatch-address=::/0\nignore=yes\n";

/** Connections of the kernel's path manager, each with a subflow from 10.0.2.2, on a host with heal. */
async function connected(
  t: TestContext,
  count: number,
  prepare: (client: Host) => Promise<unknown> = async () => {},
) {
  const managed = await ManagedHost.create(t, "client");
  const { client, server, clientPeer, serverPeer, machine } = managed;
  await prepare(client);
  await machine.start({ config });
  const port = await serverPeer.listen({ address: "0.0.0.0", port: 0 });
  await clientPeer.connectMany({ address: "10.0.1.1", port, count });
  const subflows = async (): Promise<number> =>
    (await clientPeer.connections())
      .flatMap((connection) => connection.subflows)
      .filter(({ local, state }) => local.address === "10.0.2.2" && state === "established").length;
  const has = (wanted: number) =>
    waitFor(`${wanted} subflows from 10.0.2.2`, subflows, {
      until: (now) => now === wanted,
      deadlineMs: 30_000,
    });
  await has(count);
  const lose = async (): Promise<void> => {
    // What joins gets no answer: the path stays lost.
    await server.ip("route add blackhole 10.0.2.2/32");
    await client.run("sh", "-c", "ss -K src 10.0.2.2 >/dev/null");
    await has(0);
  };
  return { client, server, machine, has, lose };
}

/** How many REMOVE_ADDR the host has sent: each connection one whenever its endpoint is deleted. */
async function removals(host: Host): Promise<number> {
  const [, count = assert.fail()] =
    /^MPTcpExtRmAddrTx +(\d+)/m.exec(await host.run("nstat", "-asz", "MPTcpExtRmAddrTx")) ?? [];
  return Number(count);
}

describe("heal, where the kernel manages paths", {
  skip: requires({ tools: ["ss", "nstat"] }),
  concurrency: 2,
}, () => {
  it("renews an endpoint once for all connections that lost a path together, and again after longer and longer", async (t) => {
    const { client, server, machine, has, lose } = await connected(t, CONNECTIONS);
    const id = (await machine.endpoint("10.0.2.2")).id;
    const start = performance.now();
    await lose();
    const renewed = /^info: heal: the kernel tries 10\.0\.2\.2 again$/;
    const line = await machine.daemon.waitForLine(renewed, { deadlineMs: 30_000 });
    await machine.daemon.waitForLine(renewed, {
      from: machine.daemon.lines.indexOf(line[0]) + 1,
      deadlineMs: 30_000,
    });
    const elapsed = performance.now() - start;
    assert.ok(elapsed > 2900, `after 1 s and 2 s more, not after ${elapsed} ms`);
    await server.ip("route del blackhole 10.0.2.2/32");
    await has(CONNECTIONS);
    const times = machine.daemon.lines.filter((one) => renewed.test(one)).length;
    const sent = await removals(client);
    assert.ok(
      sent >= CONNECTIONS && sent <= times * CONNECTIONS,
      `${sent} REMOVE_ADDR for ${times} renewals`,
    );
    assert.ok(times <= 4, `${times} renewals, after 1 s, 2 s, 4 s and 8 s`);
    assert.equal((await machine.endpoint("10.0.2.2")).id, id);
    assert.deepEqual(machine.problems, []);
  });

  it("leaves an endpoint of somebody else alone, and says how mptcpd can take it over", async (t) => {
    const { client, machine, lose } = await connected(t, 1, (client) =>
      client.ip("mptcp endpoint add 10.0.2.2 id 50 subflow backup dev eth2"),
    );
    const before = await machine.show();
    await lose();
    await machine.daemon.waitForLine(
      /^info: heal: cannot renew endpoint 10\.0\.2\.2: 10\.0\.2\.2 was not made by mptcpd; `mptcpctl adopt 10\.0\.2\.2` takes it over/,
      { deadlineMs: 30_000 },
    );
    assert.deepEqual(await machine.show(), before);
    assert.equal((await machine.endpoint("10.0.2.2")).id, 50);
    assert.equal(await removals(client), 0);
  });
});
