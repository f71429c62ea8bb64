import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Decision } from "../../../../src/control/policy/decision.ts";
import { type Endpoint, endpointFlags, type MptcpEvent } from "../../../../src/kernel/mptcp-pm.ts";
import { eventFlags } from "../../../../src/kernel/mptcp-pm-events.ts";
import { explanationObject, explanationTable } from "../../../../src/programs/mptcpctl/commands/explain.ts";
import { eventLine, eventObject } from "../../../../src/programs/mptcpctl/commands/monitor.ts";
import {
  endpointLine,
  endpointObject,
  jsonItem,
  jsonList,
  limitsLine,
  limitsObject,
} from "../../../../src/programs/mptcpctl/io/ip-format.ts";

const plain: Endpoint = {
  id: 1,
  address: "10.0.0.1",
  port: 0,
  flags: endpointFlags.of("subflow"),
  ifIndex: 2,
};
const server: Endpoint = {
  id: 7,
  address: "fd00::2",
  port: 99,
  flags: endpointFlags.from(0b1111_1111),
  ifIndex: 0,
};

describe("an endpoint", () => {
  it("is a line as ip prints it", () => {
    assert.equal(endpointLine(plain, "eth0"), "10.0.0.1 id 1 subflow dev eth0 \n");
    assert.equal(
      endpointLine(server, undefined),
      "fd00::2 port 99 id 7 signal subflow backup fullmesh implicit laminar rawflags c0 \n",
    );
  });

  it("is an object as ip -j prints it", () => {
    assert.equal(
      jsonList([endpointObject(plain, "eth0"), endpointObject(server, undefined)], false),
      '[{"address":"10.0.0.1","id":1,"subflow":true,"dev":"eth0"},' +
        '{"address":"fd00::2","port":99,"id":7,"signal":true,"subflow":true,"backup":true,"fullmesh":true,' +
        '"implicit":true,"laminar":true,"rawflags":"c0"}]\n',
    );
  });
});

describe("limits", () => {
  it("are a line as ip prints it, and an object of its names", () => {
    const limits = { subflows: 2, addAddrAccepted: 0 };
    assert.equal(limitsLine(limits), "add_addr_accepted 0 subflows 2 \n");
    assert.deepEqual(limitsObject(limits), { add_addr_accepted: 0, subflows: 2 });
  });
});

describe("JSON", () => {
  it("is laid out as ip -j -p lays it out", () => {
    const pretty = '[ {\n        "a": 1,\n        "b": "x"\n    },{\n        "a": true\n    } ]\n';
    assert.equal(jsonList([{ a: 1, none: undefined, b: "x" }, { a: true }], true), pretty);
    assert.equal(jsonList([], true), "[ ]\n");
    assert.equal(jsonList([], false), "[]\n");
  });

  it("of a stream is a line an object", () => {
    assert.equal(jsonItem({ event: "CLOSED", none: undefined }, false), '{"event":"CLOSED"}\n');
    assert.equal(jsonItem({ event: "CLOSED" }, true), '{\n    "event": "CLOSED"\n}\n');
  });
});

describe("an event", () => {
  const ends = { localAddress: "10.0.1.2", localPort: 40000, remoteAddress: "10.0.1.1", remotePort: 80 };
  const created = {
    event: "created",
    token: 0xfeaaba52,
    family: 2,
    ...ends,
    flags: eventFlags.of(),
    serverSide: false,
    denyJoinId0: false,
  } as const satisfies MptcpEvent;

  const closed = {
    event: "subflowClosed",
    token: 0x52,
    family: 10,
    localId: 1,
    remoteId: 3,
    localAddress: "fd00::2",
    localPort: 1,
    remoteAddress: "fd00::1",
    remotePort: 2,
    backup: true,
    error: 104,
    ifIndex: 5,
    resetReason: 6,
    resetFlags: 0,
  } as const satisfies MptcpEvent;

  const cases: readonly (readonly [
    event: MptcpEvent,
    device: string | undefined,
    line: string,
    object: object,
  ])[] = [
    [
      created,
      undefined,
      "[         CREATED] token=feaaba52 remid=0 locid=0 saddr4=10.0.1.2 daddr4=10.0.1.1 sport=40000 dport=80",
      {
        event: "CREATED",
        token: "0xfeaaba52",
        remid: 0,
        locid: 0,
        saddr4: "10.0.1.2",
        daddr4: "10.0.1.1",
        sport: 40000,
        dport: 80,
      },
    ],
    [
      { ...created, event: "established", serverSide: true, denyJoinId0: true, flags: eventFlags.from(0x7) },
      undefined,
      "[     ESTABLISHED] token=feaaba52 remid=0 locid=0 saddr4=10.0.1.2 daddr4=10.0.1.1 sport=40000 dport=80" +
        " server_side deny_join_id0 flags=0x4",
      {
        event: "ESTABLISHED",
        token: "0xfeaaba52",
        remid: 0,
        locid: 0,
        saddr4: "10.0.1.2",
        daddr4: "10.0.1.1",
        sport: 40000,
        dport: 80,
        server_side: true,
        deny_join_id0: true,
        flags: "0x4",
      },
    ],
    [
      { event: "closed", token: 1 },
      undefined,
      "[          CLOSED] token=00000001",
      { event: "CLOSED", token: "0x1" },
    ],
    [
      { event: "announced", token: 1, remoteId: 4, family: 2, remoteAddress: "10.0.2.1", remotePort: 8000 },
      undefined,
      "[       ANNOUNCED] token=00000001 remid=4 daddr4=10.0.2.1 dport=8000",
      { event: "ANNOUNCED", token: "0x1", remid: 4, daddr4: "10.0.2.1", dport: 8000 },
    ],
    [
      { event: "removed", token: 1, remoteId: 4 },
      undefined,
      "[         REMOVED] token=00000001 remid=4",
      { event: "REMOVED", token: "0x1", remid: 4 },
    ],
    [
      closed,
      "wan0",
      "[       SF_CLOSED] token=00000052 remid=3 locid=1 saddr6=fd00::2 daddr6=fd00::1 sport=1 dport=2 backup=1" +
        " error=104 ifindex=5 dev=wan0 reset_reason=6 reset_flags=0",
      {
        event: "SF_CLOSED",
        token: "0x52",
        remid: 3,
        locid: 1,
        saddr6: "fd00::2",
        daddr6: "fd00::1",
        sport: 1,
        dport: 2,
        backup: 1,
        error: 104,
        ifindex: 5,
        dev: "wan0",
        reset_reason: 6,
        reset_flags: "0",
      },
    ],
    [
      { event: "listenerCreated", family: 2, localAddress: "0.0.0.0", localPort: 80 },
      undefined,
      "[LISTENER_CREATED] saddr4=0.0.0.0 sport=80",
      { event: "LISTENER_CREATED", saddr4: "0.0.0.0", sport: 80 },
    ],
    [{ event: "unknown", number: 99 }, undefined, "[UNKNOWN 99]", { event: "UNKNOWN 99" }],
  ];

  for (const [event, device, line, object] of cases)
    it(`${event.event} is a line and an object as iproute2 7.1 prints them`, () => {
      assert.equal(eventLine(event, device), line);
      assert.deepEqual(eventObject(event, device), object);
    });
});

describe("an explanation", () => {
  const decision: Decision = {
    address: "10.0.0.1",
    ifIndex: 2,
    interfaceName: "eth0",
    outcome: "endpoint",
    code: "usable",
    reason: "usable",
    endpoint: undefined,
  };
  const explanations = [
    { decision, endpoint: { endpoint: plain, ours: true } },
    {
      decision: { ...decision, address: "fe80::1", outcome: "unusable", code: "link-local" },
      endpoint: undefined,
    },
  ] as const;

  it("is a row of a table", () => {
    assert.equal(
      explanationTable(explanations, 0),
      "ADDRESS   INTERFACE  ENDPOINT   OUTCOME   REASON\n" +
        "10.0.0.1  eth0       1 subflow  endpoint  usable\n" +
        "fe80::1   eth0       -          unusable  usable\n",
    );
    assert.equal(explanationTable([], 0), "ADDRESS  INTERFACE  ENDPOINT  OUTCOME  REASON\n");
  });

  it("is an object that says whose endpoint it is", () => {
    const objects = explanations.map(explanationObject);
    assert.equal(
      jsonList(objects, false),
      '[{"address":"10.0.0.1","dev":"eth0","outcome":"endpoint","code":"usable","reason":"usable","id":1,' +
        '"subflow":true,"owner":"mptcpd"},' +
        '{"address":"fe80::1","dev":"eth0","outcome":"unusable","code":"link-local","reason":"usable"}]\n',
    );
  });
});
