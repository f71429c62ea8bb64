import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Host } from "../../src/lab/kit/host.ts";
import { Lab } from "../../src/lab/kit/lab.ts";
import { type Cable, waitForCarrierLoss } from "../../src/lab/kit/link.ts";
import { requires } from "../../src/lab/kit/requires.ts";
import { eventually, slowness } from "../../src/lab/kit/wait.ts";
import { shownConnections } from "../lab/connections.ts";
import { atOnce, Machine } from "../lab/machine.ts";
import { Peer } from "../lab/peer.ts";

/** Milliseconds for what takes peers a few round trips, retransmissions included. */
const patience = 40_000 * slowness;

describe("a client with three uplinks, fullmesh, and a server with three addresses", {
  skip: requires(),
}, () => {
  it("has nine subflows, and nine again after a link was down for 5 s that the connection did not begin on", async (t) => {
    const mesh = await threeUplinks(t);
    const talk = await mesh.talk();
    await hasSubflows(mesh.client, 9);
    for (const i of [2, 3]) {
      await mesh.interrupt(i);
      await hasSubflows(mesh.client, 9);
    }
    await talk.end();
  });

  it("has as many as the kernel's maximum after the link was down that the connection began on", async (t) => {
    const mesh = await threeUplinks(t);
    const talk = await mesh.talk();
    await hasSubflows(mesh.client, 9);
    const { subflows: maximum } = await mesh.client.limits();
    await mesh.interrupt(1);
    // The limit does not count the initial subflow, which is lost.
    await hasSubflows(mesh.client, Math.min(9, maximum));
    await talk.end();
  });
});

describe("a client whose endpoints only answer addresses that the server announces", {
  skip: requires(),
}, () => {
  it("accepts them, with fullmesh alone as with subflow", async (t) => {
    const machine = await Machine.create(t);
    const { subflows: before } = await machine.host.limits();
    await machine.start({ args: ["--addr-flags=fullmesh"] });
    const { subflows, addAddrAccepted } = await machine.host.limits();
    assert.ok(subflows >= 8 && subflows > before, `${subflows}`);
    assert.equal(addAddrAccepted, subflows);
  });

  it("accepts none as a server with signal endpoints", async (t) => {
    const machine = await Machine.create(t);
    await machine.start({ args: ["--addr-flags=signal"] });
    const { subflows, addAddrAccepted } = await machine.host.limits();
    assert.ok(subflows >= 8, `${subflows}`);
    assert.equal(addAddrAccepted, 0);
  });
});

describe("limits that an administrator sets while mptcpd runs", { skip: requires() }, () => {
  it("are not lowered when an address comes a moment later", async (t) => {
    const machine = await Machine.create(t);
    await machine.ip("mptcp limits set subflows 3 add_addr_accepted 3");
    await machine.start();
    assert.deepEqual(await machine.host.limits(), { subflows: 3, addAddrAccepted: 3 });
    await machine.ip("mptcp limits set subflows 7 add_addr_accepted 6");
    await machine.ip("addr add 10.0.0.2/24 dev eth0");
    await machine.hasEndpointsAt(["10.0.0.1", "10.0.0.2"]);
    assert.deepEqual(await machine.host.limits(), { subflows: 7, addAddrAccepted: 6 });
  });

  it("stay as they are with limits=keep, which gives back what was found", async (t) => {
    const machine = await Machine.create(t);
    await machine.ip("mptcp limits set subflows 1 add_addr_accepted 1");
    await machine.start();
    assert.ok((await machine.host.limits()).subflows >= 8);
    await machine.reload(`${atOnce}limits=keep\n`);
    assert.deepEqual(await machine.host.limits(), { subflows: 1, addAddrAccepted: 1 });
    await machine.ip("mptcp limits set subflows 2 add_addr_accepted 0");
    await machine.reload();
    assert.deepEqual(await machine.host.limits(), { subflows: 2, addAddrAccepted: 0 });
  });
});

interface Mesh {
  readonly client: Host;
  /** A connection that carries something all the time, until `end`, which fails if it was cut. */
  talk(): Promise<{ end(): Promise<void> }>;
  /** Takes out the cable of uplink i until both have given up its addresses, and 5 s pass. */
  interrupt(i: number): Promise<void>;
}

/**
 * Both run mptcpd. The client routes by source address, as a multihomed host must; the server is reached by any uplink.
 */
async function threeUplinks(t: Parameters<typeof Lab.create>[0]): Promise<Mesh> {
  const lab = await Lab.create(t);
  const [client, server] = [await lab.host("client"), await lab.host("server")];
  const uplinks = [1, 2, 3];
  const cables: Cable[] = [];
  for (const i of uplinks) {
    const a = [client, `eth${i}`, `10.0.${i}.2/24`] as const;
    const b = [server, `eth${i}`, `10.0.${i}.1/24`] as const;
    cables.push(await lab.link({ a, b, rate: "50mbit" }));
    await client.ip(`rule add from 10.0.${i}.2 table ${i}`);
    await client.ip(`route add default via 10.0.${i}.1 dev eth${i} table ${i}`);
  }
  const servers = new Machine(lab, server);
  await servers.start({ config: "[core]\naddr-flags=signal\n" });
  await servers.hasEndpointsAt(uplinks.map((i) => `10.0.${i}.1`));
  const clients = new Machine(lab, client);
  await clients.start({ config: "[core]\naddr-flags=subflow,fullmesh\n" });
  const addresses = uplinks.map((i) => `10.0.${i}.2`);
  await clients.hasEndpointsAt(addresses);
  const interrupt = async (i: number): Promise<void> => {
    const start = performance.now();
    await cables[i - 1]?.cut();
    await waitForCarrierLoss(client, `eth${i}`);
    await clients.hasEndpointsAt(addresses.filter((address) => address !== `10.0.${i}.2`));
    // The outage itself is what is tested.
    await eventually("5 s to pass", async () => assert.ok(performance.now() - start > 5000));
    await cables[i - 1]?.restore();
    // The kernel flushes the routes of a link that goes down.
    await client.ip(`route replace default via 10.0.${i}.1 dev eth${i} table ${i}`);
    await clients.hasEndpointsAt(addresses);
  };
  const talk = async () => {
    // At all addresses: those that the server announces are connected to as well.
    const port = await new Peer(server).listen({ address: "0.0.0.0", port: 0 });
    const peer = new Peer(client);
    const socket = await peer.connect({ address: "10.0.1.1", port });
    let ended = false;
    const talking = (async () => {
      while (!ended) await peer.echo(socket);
    })();
    talking.catch(() => undefined);
    const end = async (): Promise<void> => {
      ended = true;
      await talking;
    };
    return { end };
  };
  return { client, talk, interrupt };
}

async function hasSubflows(host: Host, count: number): Promise<void> {
  await eventually(
    `${count} subflows`,
    async () => {
      const [connection] = await shownConnections(host);
      const established = connection?.subflows.filter(({ state }) => state === "established") ?? [];
      assert.equal(established.length, count);
    },
    { deadlineMs: patience },
  );
}
