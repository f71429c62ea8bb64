import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { eventFlags } from "../../../src/kernel/messages/flags.ts";
import * as events from "../../../src/kernel/messages/mptcp-pm.ts";
import { pmMessage } from "../../../src/kernel/messages/mptcp-pm.ts";
import { endpointFlags, type MptcpEvent, MptcpPm } from "../../../src/kernel/mptcp-pm.ts";
import { command } from "../../../src/kernel/mptcp-pm-schema.ts";
import type { Schema } from "../../../src/kernel/netlink/codec.ts";
import { genericHeader } from "../../../src/kernel/netlink/generic-message.ts";
import { controlMessage } from "../../../src/kernel/netlink/messages.ts";
import type { NetlinkMessage } from "../../../src/kernel/netlink/wire.ts";
import { ack, FakeKernel, isDump, multipart, type Reply, refuse } from "../../lab/fake-kernel.ts";

const EINVAL = 22;
const ENOENT = 2;
const family = 33;
const eventGroup = 8;
const { of } = endpointFlags;

describe("MptcpPm", () => {
  it("cannot be opened on a kernel without MPTCP, and leaves no socket open", async () => {
    const kernel = new FakeKernel((request) => [refuse(request, ENOENT)]);
    await assert.rejects(MptcpPm.open({ open: kernel.open }), {
      name: "FamilyNotFoundError",
      family: "mptcp_pm",
    });
    assert.equal(kernel.socketCount, 0);
  });

  it("reads the endpoints of a dump, with zeros for what the kernel leaves out", async (t) => {
    const { pm } = await open(t, (request) => {
      assert.ok(isDump(request));
      return multipart([
        endpoint({ id: 1, address: "10.0.0.1", flags: of("subflow") }),
        endpoint({ id: 2, address: "2001:db8::1", port: 80, flags: endpointFlags.from(0x41), ifIndex: 3 }),
      ]);
    });
    const [first, second] = await pm.dumpEndpoints();
    assert.deepEqual(first, { id: 1, address: "10.0.0.1", port: 0, flags: of("subflow"), ifIndex: 0 });
    assert.deepEqual([second?.address, second?.port, second?.ifIndex], ["2001:db8::1", 80, 3]);
    assert.equal(second?.flags.toString(), "signal,0x40");
  });

  it("asks by token for the addresses of a connection", async (t) => {
    const refused = (request: NetlinkMessage) => [refuse(request, EINVAL, { message: "invalid token" })];
    const { pm, kernel } = await open(t, (request) =>
      pmMessage.decode(request).token === 0 ? refused(request) : multipart([]),
    );
    await pm.dumpEndpoints(0xabcd);
    assert.equal(sent(kernel).token, 0xabcd);
    const before = kernel.requests.length;
    await pm.dumpEndpoints(0xabce);
    assert.equal(kernel.requests.length, before + 1, "what the kernel knows is asked once");
  });

  it("does not take all endpoints for those of a connection where the kernel ignores tokens", async (t) => {
    const { pm } = await open(t, () => multipart([endpoint({ id: 1, address: "10.0.0.1" })]));
    await assert.rejects(pm.dumpEndpoints(0xabcd), { code: "EOPNOTSUPP" });
    await assert.rejects(pm.getEndpoint(1, 0xabcd), { code: "EOPNOTSUPP" });
  });

  it("has no endpoint where the kernel finds none, but fails where the token is wrong", async (t) => {
    const { pm } = await open(t, (request) => [refuse(request, EINVAL, { message: "address not found" })]);
    assert.equal(await pm.getEndpoint(9), undefined);
    await assert.rejects(pm.getEndpoint(9, 1), { code: "EINVAL" });
  });

  it("sends each command with what belongs to it", async (t) => {
    const { pm, kernel } = await open(t, (request) => [ack(request)]);
    const local = { address: "10.0.0.1", id: 3, port: 5 };
    const remote = { address: "10.0.0.2", port: 80 };
    const flags = of("backup");
    for (const [run, expected] of [
      [
        () => pm.addEndpoint({ address: "::1", flags, ifIndex: 2 }),
        { command: command.addAddr, address: { family: 10, address: "::1", flags, ifIndex: 2 } },
      ],
      [() => pm.deleteEndpoint({ id: 3 }), { command: command.delAddr, address: { id: 3 } }],
      [
        () => pm.deleteEndpoint({ id: 0, address: "10.0.0.1" }),
        { command: command.delAddr, address: { family: 2, id: 0, address: "10.0.0.1" } },
      ],
      [() => pm.flushEndpoints(), { command: command.flushAddrs }],
      [
        () => pm.changeEndpoint({ id: 3, flags: of("backup", "subflow") }),
        { command: command.setFlags, address: { id: 3, flags } },
      ],
      [
        () => pm.setLimits({ subflows: 1, addAddrAccepted: 2 }),
        { command: command.setLimits, subflows: 1, addAddrAccepted: 2 },
      ],
      [
        () => pm.announce({ token: 7, ...local }),
        { command: command.announce, token: 7, address: { family: 2, ...local, flags: of("signal") } },
      ],
      [() => pm.remove({ token: 7, id: 3 }), { command: command.remove, token: 7, localId: 3 }],
      [
        () => pm.createSubflow({ token: 7, local, remote, flags }),
        {
          command: command.subflowCreate,
          token: 7,
          address: { family: 2, ...local, flags },
          remote: { family: 2, ...remote },
        },
      ],
      [
        () => pm.destroySubflow({ token: 7, local, remote }),
        {
          command: command.subflowDestroy,
          token: 7,
          address: { family: 2, ...local },
          remote: { family: 2, ...remote },
        },
      ],
      [
        () => pm.setSubflowFlags({ token: 7, local, remote, flags }),
        {
          command: command.setFlags,
          token: 7,
          address: { family: 2, ...local, flags },
          remote: { family: 2, ...remote },
        },
      ],
    ] as const) {
      await run();
      assert.deepEqual(sent(kernel), { version: 1, reserved: 0, ...expected });
    }
  });
});

describe("events", () => {
  const ends = {
    family: 2,
    localAddress: "10.0.0.1",
    localPort: 40000,
    remoteAddress: "10.0.0.2",
    remotePort: 443,
  };

  it("come with every attribute, by their name", async (t) => {
    const { emit, heard } = await subscribe(t);
    emit(1, events.connection, { token: 1, ...ends, oldServerSide: 1 });
    emit(2, events.connection, {
      token: 1,
      ...ends,
      flags: eventFlags.of("denyJoinId0", "serverSide"),
    });
    emit(3, events.closed, { token: 1 });
    emit(6, events.announced, { token: 1, remoteId: 4, remoteAddress: "2001:db8::1", remotePort: 443 });
    emit(7, events.removed, { token: 1, remoteId: 4 });
    for (const number of [10, 11, 13])
      emit(number, events.subflow, {
        token: 1,
        ...ends,
        localId: 2,
        remoteId: 3,
        backup: 1,
        error: 110,
        ifIndex: 5,
        resetReason: 1,
        resetFlags: 1,
      });
    for (const number of [15, 16])
      emit(number, events.listener, { family: 2, localAddress: "0.0.0.0", localPort: 80 });
    const subflow = {
      token: 1,
      ...ends,
      localId: 2,
      remoteId: 3,
      backup: true,
      error: 110,
      ifIndex: 5,
      resetReason: 1,
      resetFlags: 1,
    };
    const listener = { family: 2, localAddress: "0.0.0.0", localPort: 80 };
    assert.deepEqual(heard, [
      {
        event: "created",
        token: 1,
        ...ends,
        flags: eventFlags.of(),
        serverSide: true,
        denyJoinId0: false,
      },
      {
        event: "established",
        token: 1,
        ...ends,
        flags: eventFlags.from(3),
        serverSide: true,
        denyJoinId0: true,
      },
      { event: "closed", token: 1 },
      { event: "announced", token: 1, remoteId: 4, remoteAddress: "2001:db8::1", remotePort: 443 },
      { event: "removed", token: 1, remoteId: 4 },
      { event: "subflowEstablished", ...subflow },
      { event: "subflowClosed", ...subflow },
      { event: "subflowPriority", ...subflow },
      { event: "listenerCreated", ...listener },
      { event: "listenerClosed", ...listener },
    ]);
  });

  it("that are newer than this program are told by number", async (t) => {
    const { emit, heard } = await subscribe(t);
    emit(77, events.closed, { token: 1 });
    assert.deepEqual(heard, [{ event: "unknown", number: 77 }]);
  });

  it("that make no sense go to `error`, and the next ones still come", async (t) => {
    const { emit, heard, errors } = await subscribe(t);
    emit(1, events.closed, { token: 1 });
    emit(3, events.closed, { token: 1 });
    assert.deepEqual(heard, [{ event: "closed", token: 1 }]);
    assert.match(String(errors), /attribute family: is missing/);
  });

  it("that are lost are told, and cost no command its answer", async (t) => {
    const { kernel, overruns, subscription } = await subscribe(t);
    assert.equal(kernel.socketCount, 2);
    kernel.overrun();
    assert.equal(overruns(), 1);
    subscription.close();
    assert.equal(kernel.socketCount, 1);
  });

  async function subscribe(t: TestContext) {
    const { pm, kernel } = await open(t, () => []);
    const heard: MptcpEvent[] = [];
    const errors: unknown[] = [];
    let overruns = 0;
    const subscription = pm.events({
      event: (event) => heard.push(event),
      error: (error) => errors.push(error),
      overrun: () => overruns++,
    });
    const emit = <Out, In>(number: number, schema: Schema<Out, In>, value: In) =>
      kernel.notify(eventGroup, {
        type: family,
        payload: Buffer.concat([genericHeader.encode({ command: number, version: 1 }), schema.encode(value)]),
      });
    return { kernel, heard, errors, emit, subscription, overruns: () => overruns };
  }
});

async function open(t: TestContext, answer: (request: NetlinkMessage) => readonly Reply[]) {
  const kernel = new FakeKernel((request) => {
    if (request.type === family) return answer(request);
    const groups = [
      { name: "mptcp_pm_cmds", id: 7 },
      { name: "mptcp_pm_events", id: eventGroup },
    ];
    const reply = { command: 1, familyId: family, familyName: "mptcp_pm", familyVersion: 1, groups };
    return [{ type: request.type, payload: controlMessage.encode(reply) }, ack(request)];
  });
  const pm = await MptcpPm.open({ open: kernel.open });
  t.after(() => pm.close());
  return { pm, kernel };
}

function endpoint(address: NonNullable<Parameters<typeof pmMessage.encode>[0]["address"]>): Reply {
  return { type: family, payload: pmMessage.encode({ command: command.getAddr, address }) };
}

function sent(kernel: FakeKernel) {
  const request = kernel.requests.at(-1);
  assert.ok(request);
  return pmMessage.decode(request);
}
