import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { requires } from "../../src/lab/kit/requires.ts";
import { eventually } from "../../src/lab/kit/wait.ts";
import { tokenText } from "../../src/path-managers/api/index.ts";
import { ManagedHost } from "../lab/managed-host.ts";
import { type Line, PuppetProgram, puppetNeeds } from "../lab/puppet-program.ts";

type End = { readonly address: string; readonly port: number };
type Told = Line & { readonly connection?: { readonly token: string } };

describe("a program that is a path manager gives commands:", { skip: requires(puppetNeeds) }, () => {
  let managed: ManagedHost;
  let program: PuppetProgram;
  let token: string;
  let port: number;
  let socketPort: number;

  before(async () => {
    managed = await ManagedHost.create(undefined, "client");
    program = await PuppetProgram.create(managed.machine);
    await managed.machine.start({ config: program.config });
    port = await managed.serverPeer.listen({ address: "0.0.0.0", port: 0 });
    const socket = await managed.clientPeer.connect({ address: "10.0.1.1", port });
    token = tokenText(socket.token);
    socketPort = socket.port;
    await program.told("the connection", ({ event }) => event === "connectionEstablished");
  });
  after(() => managed.machine.lab.close());

  const endpoints = () => managed.machine.show();

  it("it is greeted with its options and the network", () => {
    const [hello] = program.lines;
    const { event, protocol, name, options } = hello ?? {};
    assert.deepEqual(
      { event, protocol, name, options },
      { event: "hello", protocol: 1, name: "program", options: { colour: "blue" } },
    );
  });

  it("connections, network", async () => {
    const { result } = await program.command("connections");
    assert.ok(Array.isArray(result) && result.length === 1);
    const [connection] = result;
    assert.deepEqual(
      [connection.token, connection.state, connection.serverSide, connection.local],
      [token, "established", false, { address: "10.0.1.2", port: socketPort }],
    );
    const network = await program.command("network");
    assert.deepEqual(Object(network.result).uplinks, ["eth1", "eth2"]);
  });

  it("createSubflow, setBackup, destroySubflow", async () => {
    const created = await program.command("createSubflow", { token, from: "10.0.2.2", backup: true });
    const { local, remote, localBackup }: { local: End; remote: End; localBackup: boolean } = Object(
      created.result,
    );
    assert.deepEqual([local.address, remote, localBackup], ["10.0.2.2", { address: "10.0.1.1", port }, true]);
    await program.told(
      "the subflow",
      ({ event, subflow }) => event === "newSubflow" && subflow !== undefined,
    );
    const isBackup = async () => {
      const { subflows } = await managed.serverPeer.connectionAt(socketPort);
      return subflows.find((one) => one.remote.port === local.port)?.flags.includes("backupRemote");
    };
    // The peer hears the end of the handshake last.
    await eventually("the peer has it", async () => assert.equal(await isBackup(), true));
    assert.deepEqual(
      Object(await program.command("setBackup", { token, local, remote, backup: false })).result,
      null,
    );
    await eventually("its end", async () => assert.equal(await isBackup(), false));
    assert.equal((await program.command("destroySubflow", { token, local, remote })).result, null);
    await program.told("its end", ({ event }) => event === "subflowClosed");
    assert.equal((await program.command("destroySubflow", { token, local, remote })).error?.code, "ESRCH");
  });

  it("announce, withdraw", async () => {
    const announced = await program.command("announce", {
      token,
      address: "10.0.2.2",
      port: 0,
      listen: true,
    });
    const { id, port: own }: { id: number; port: number } = Object(announced.result);
    await program.told("a join", ({ event, subflow }) => {
      const { local }: { local?: End } = Object(subflow);
      return event === "newSubflow" && local?.port === own;
    });
    assert.equal((await program.command("withdraw", { token, id })).result, null);
    assert.equal((await program.command("announce", { token, address: "10.0.2.2" })).error, undefined);
    assert.equal((await program.command("withdraw", { token, address: "10.0.2.2" })).result, null);
    assert.match(
      (await program.command("withdraw", { token })).error?.message ?? "",
      /takes an id or an address/,
    );
  });

  it("addEndpoint, endpoints, changeEndpoint, removeEndpoint, flushEndpoints", async () => {
    const endpoint = { address: "10.0.2.2", flags: ["subflow"], id: 9 };
    assert.equal((await program.command("addEndpoint", endpoint)).result, null);
    assert.deepEqual(await endpoints(), ["10.0.2.2 eth2 subflow"]);
    const [listed] = Object((await program.command("endpoints")).result);
    assert.deepEqual([listed.id, listed.address, listed.flags], [9, "10.0.2.2", ["subflow"]]);
    assert.equal((await program.command("changeEndpoint", { id: 9, flags: ["backup"] })).result, null);
    assert.deepEqual(await endpoints(), ["10.0.2.2 eth2 subflow,backup"]);
    assert.equal((await program.command("removeEndpoint", { id: 9 })).result, null);
    assert.deepEqual(await endpoints(), []);
    await program.command("addEndpoint", endpoint);
    assert.equal((await program.command("flushEndpoints")).result, null);
    assert.deepEqual(await endpoints(), []);
  });

  it("setLimits, limits", async () => {
    const limits = { subflows: 5, addAddrAccepted: 3 };
    assert.equal((await program.command("setLimits", limits)).result, null);
    assert.deepEqual((await program.command("limits")).result, limits);
    assert.deepEqual(await managed.client.limits(), limits);
  });

  it("what is wrong with one it is told, with what is allowed", async () => {
    const wrong: readonly (readonly [string, object, string, RegExp])[] = [
      ["dance", {}, "EINVAL", /"command" has to be one of connections, network, createSubflow/],
      [
        "createSubflow",
        { token: "xyz", from: "10.0.2.2" },
        "EINVAL",
        /^token: has to be 8 hexadecimal digits$/,
      ],
      ["createSubflow", { token: "1", from: "10.0.2.2" }, "ENOTCONN", /there is none of that token/],
      ["createSubflow", { token }, "EINVAL", /^from: /],
      ["createSubflow", { token, from: "nowhere" }, "EINVAL", /"nowhere" is no IP address/],
      [
        "createSubflow",
        { token, from: "10.0.2.2", to: { address: "10.0.1.1", port: 9 } },
        "ECONNREFUSED",
        /refuses/,
      ],
      ["addEndpoint", { address: "10.0.2.2", flags: ["fast"] }, "EINVAL", /^flags\.0: /],
      ["setLimits", { subflows: 1000, addAddrAccepted: 0 }, "EINVAL", /limit greater than maximum/],
    ];
    for (const [command, more, code, message] of wrong) {
      const { error } = await program.command(command, more);
      assert.equal(error?.code, code, command);
      assert.match(error?.message ?? "", message);
    }
  });

  it("and is told what happens", async () => {
    const socket = await managed.clientPeer.connect({ address: "10.0.1.1", port });
    const own = tokenText(socket.token);
    await managed.clientPeer.close(socket);
    const isOwn = ({ connection }: Told) => connection?.token === own;
    await program.told("the end", (line) => line.event === "connectionClosed" && isOwn(line));
    assert.deepEqual(
      program.lines.filter(isOwn).map(({ event }) => event),
      ["newConnection", "connectionEstablished", "connectionClosed"],
    );
    await managed.machine.plug("eth7", "10.0.7.7/24");
    await program.told("an interface", ({ event, interface: one }) => {
      const { name }: { name?: string } = Object(one);
      return event === "newInterface" && name === "eth7";
    });
    await program.told("an address", ({ event, address: local }) => {
      const { address }: { address?: string } = Object(local);
      return event === "newLocalAddress" && address === "10.0.7.7";
    });
  });
});
