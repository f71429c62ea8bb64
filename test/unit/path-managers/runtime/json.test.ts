import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Details, HandlerName } from "../../../../src/path-managers/runtime/api.ts";
import { handlerNames } from "../../../../src/path-managers/runtime/handler-calls.ts";
import {
  connectionJson,
  detailsJson,
  endpointJson,
  networkJson,
} from "../../../../src/path-managers/runtime/json.ts";
import { HostBench, recorder } from "./fakes.ts";

/** What a program reads of it. */
const parsed = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

/** A host, and a connection with all that one can have. */
async function world() {
  const one = recorder();
  const bench = await new HostBench([one.definition]).start();
  const peer = bench.connect();
  peer.announce(4, "10.0.9.10", 80);
  await bench.settle();
  const [connection = assert.fail()] = one.pm.connections;
  const asked = one.pm.createSubflow(connection, { from: "10.0.2.2", backup: true });
  const [subflow] = await Promise.all([asked, bench.settle()]);
  const [eth0 = assert.fail(), eth1 = assert.fail()] = one.pm.network.interfaces;
  return { bench, pm: one.pm, connection, subflow, eth0, eth1 };
}

const subflowShown = {
  local: { address: "10.0.2.2", port: 49153 },
  remote: { address: "10.0.9.9", port: 443 },
  ...{ localId: 1, remoteId: 0, state: "established", initial: false, ifIndex: 3 },
  ...{ localBackup: true, remoteBackup: false },
};

const connectionShown = {
  ...{ token: "11010101", state: "established" },
  local: { address: "10.0.1.2", port: 49152 },
  remote: { address: "10.0.9.9", port: 443 },
  ...{ serverSide: false, denyJoinId0: false, families: [4], pathManager: "userspace" },
  subflows: [
    {
      local: { address: "10.0.1.2", port: 49152 },
      remote: { address: "10.0.9.9", port: 443 },
      ...{ localId: 0, remoteId: 0, state: "established", initial: true, ifIndex: 0 },
      ...{ localBackup: false, remoteBackup: false },
    },
    subflowShown,
  ],
  announced: [{ id: 4, address: "10.0.9.10", port: 80 }],
  announcedIsComplete: true,
};

const addressShown = {
  ...{
    address: "10.0.1.2",
    family: 4,
    ifIndex: 2,
    interface: "eth0",
    flags: ["subflow"],
    port: 0,
    priority: 0,
  },
};

const interfaceShown = {
  ...{ index: 2, name: "eth0", kind: "physical", flags: ["up", "running", "lowerUp"] },
  ...{ hasDefaultRoute: true, addresses: [addressShown] },
};

describe("in JSON", () => {
  it("a connection and its subflows are whole", async () => {
    const { connection } = await world();
    assert.deepEqual(parsed(connectionJson(connection)), connectionShown);
  });

  it("a network has interfaces, and uplinks by their names, best first", async () => {
    const { pm } = await world();
    const eth1 = {
      ...interfaceShown,
      ...{ index: 3, name: "eth1" },
      addresses: [
        { ...addressShown, address: "10.0.2.2", ifIndex: 3, interface: "eth1" },
        { ...addressShown, address: "fd00:2::2", family: 6, ifIndex: 3, interface: "eth1" },
      ],
    };
    assert.deepEqual(parsed(networkJson(pm.network)), {
      interfaces: [interfaceShown, eth1],
      uplinks: ["eth0", "eth1"],
    });
  });

  it("an endpoint has its flags as words", async () => {
    const { pm, bench } = await world();
    const added = pm.endpoints.add({ address: "10.0.2.2", flags: ["subflow", "backup"], ifIndex: 0 });
    const [list] = await Promise.all([added.then(() => pm.endpoints.list()), bench.settle()]);
    assert.deepEqual(parsed(list.map(endpointJson)), [
      { id: 1, address: "10.0.2.2", port: 0, flags: ["subflow", "backup"], ifIndex: 0 },
    ]);
  });
});

describe("in JSON, an event tells what a handler is told:", () => {
  const connection = connectionShown;
  const subflow = subflowShown;
  const listener = { address: "10.0.1.2", port: 80 };
  const told: Readonly<Record<HandlerName, object>> = {
    newConnection: { connection },
    connectionEstablished: { connection },
    connectionClosed: { connection },
    newAddress: { connection, address: { id: 4, address: "10.0.9.10", port: 80 } },
    addressRemoved: { connection, address: { id: 7 } },
    newSubflow: { connection, subflow },
    subflowClosed: { connection, subflow, reason: { error: 104, code: "ECONNRESET" } },
    subflowPriority: { connection, subflow },
    listenerCreated: { listener },
    listenerClosed: { listener },
    newInterface: { interface: interfaceShown },
    updateInterface: { interface: interfaceShown, before: { ...interfaceShown, name: "old" } },
    deleteInterface: { interface: interfaceShown },
    newLocalAddress: { address: addressShown, interface: interfaceShown },
    deleteLocalAddress: { address: addressShown, interface: interfaceShown },
  };
  for (const name of handlerNames) it(name, async () => assert.deepEqual(await inJson(name), told[name]));
});

async function inJson(name: HandlerName): Promise<unknown> {
  const { connection, subflow, eth0 } = await world();
  const [address = assert.fail()] = eth0.addresses;
  const [announced = assert.fail()] = connection.announced;
  const details: { readonly [Name in HandlerName]: Details<Name> } = {
    newConnection: [connection],
    connectionEstablished: [connection],
    connectionClosed: [connection],
    newAddress: [connection, announced],
    addressRemoved: [connection, { id: 7 }],
    newSubflow: [connection, subflow],
    subflowClosed: [connection, subflow, { error: 104, code: "ECONNRESET" }],
    subflowPriority: [connection, subflow],
    listenerCreated: [{ address: "10.0.1.2", port: 80 }],
    listenerClosed: [{ address: "10.0.1.2", port: 80 }],
    newInterface: [eth0],
    updateInterface: [eth0, { ...eth0, name: "old" }],
    deleteInterface: [eth0],
    newLocalAddress: [address, eth0],
    deleteLocalAddress: [address, eth0],
  };
  return parsed(detailsJson(name, details[name]));
}
