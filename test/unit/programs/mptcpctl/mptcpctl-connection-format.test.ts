import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Subflow } from "../../../../src/control/connections/connection.ts";
import { type SubflowFlag, subflowFlags } from "../../../../src/kernel/inet-diag.ts";
import { mptcpInfoFlags } from "../../../../src/kernel/messages/flags.ts";
import { mptcpInfo, tcpInfo } from "../../../../src/kernel/messages/sock-diag.ts";
import type { CarryingSocket, MptcpConnection, MptcpSubflow } from "../../../../src/kernel/sockets.ts";
import {
  connectionObject,
  connectionText,
  subflowLine,
  subflowObject,
} from "../../../../src/programs/mptcpctl/io/connection-format.ts";
import { jsonList } from "../../../../src/programs/mptcpctl/io/ip-format.ts";

const remote = { address: "10.0.1.1", port: 443 };

function socket(
  address: string,
  port: number,
  counts: Readonly<Record<string, number>> = {},
): CarryingSocket {
  const tcp = tcpInfo.decode(
    tcpInfo.encode({ rtt: 12_345, congestionWindow: 10, bytesRetransmitted: 5, ...counts }),
  );
  const bytes = { sent: 3 * 1024 * 1024, acked: 0, received: 2000 };
  return { socketFamily: 4, local: { address, port }, remote, ifIndex: 0, state: "established", bytes, tcp };
}

function subflow(base: CarryingSocket, localId: number, ...flags: SubflowFlag[]): MptcpSubflow {
  return { ...base, localId, remoteId: 0, remoteToken: 0, flags: subflowFlags.of(...flags), mptcp: {} };
}

const connection: MptcpConnection = {
  ...{ socketFamily: 4, ifIndex: 0, uid: 1000, inode: 7, token: 0xebe, state: "established" },
  local: { address: "10.0.1.2", port: 40000 },
  remote,
  info: mptcpInfo.decode(
    mptcpInfo.encode({ flags: mptcpInfoFlags.of(), bytesSent: 9, bytesReceived: 8, bytesRetransmitted: 7 }),
  ),
  subflows: [
    subflow(socket("10.0.1.2", 40000), 0, "capableLocal", "capableRemote"),
    subflow({ ...socket("10.0.2.2", 5, { rtt: 234_567 }), ifIndex: 3 }, 12, "joinLocal", "backupLocal"),
  ],
  unidentified: [],
};

const interfaces = new Map([
  ["10.0.1.2", "eth1"],
  ["10.0.2.2", "wlan0"],
]);
const interfaceOf = ({ local }: CarryingSocket) => interfaces.get(local.address);
const text = (given: Partial<MptcpConnection>) => connectionText({ ...connection, ...given }, interfaceOf);

describe("a connection", () => {
  it("is a line, and a table of its subflows", () => {
    assert.equal(
      text({}),
      "connection 00000ebe: 10.0.1.2 port 40000 to 10.0.1.1 port 443, established, client\n" +
        "  LOCAL                ID  REMOTE             ID  INTERFACE  STATE        BACKUP  RTT       CWND  SENT      RECEIVED  RETRANSMITTED\n" +
        "  10.0.1.2 port 40000  0   10.0.1.1 port 443  0   eth1       established  -       12.35 ms  10    3.00 MiB  1.95 KiB  5 B\n" +
        "  10.0.2.2 port 5      12  10.0.1.1 port 443  0   wlan0      established  us      235 ms    10    3.00 MiB  1.95 KiB  5 B\n",
    );
  });

  it("is no wider than the terminal, if no word is; where the table fits, it is that", () => {
    const of = (columns: number) => connectionText(connection, interfaceOf, columns);
    assert.equal(
      of(80),
      `${[
        "connection 00000ebe: 10.0.1.2 port 40000 to 10.0.1.1 port 443, established,",
        "  client",
        "  10.0.1.2 port 40000 id 0 to 10.0.1.1 port 443 id 0",
        "    eth1, established, RTT 12.35 ms, cwnd 10, sent 3.00 MiB, received 1.95 KiB,",
        "      retransmitted 5 B",
        "  10.0.2.2 port 5 id 12 to 10.0.1.1 port 443 id 0",
        "    wlan0, established, backup for us, RTT 235 ms, cwnd 10, sent 3.00 MiB,",
        "      received 1.95 KiB, retransmitted 5 B",
      ].join("\n")}\n`,
    );
    const widest = Math.max(
      ...text({})
        .split("\n")
        .map((line) => line.length),
    );
    assert.equal(of(widest), text({}));
    assert.notEqual(of(widest - 1), text({}));
    const long = { address: "2001:db8:1111:2222:3333:4444:5555:6666", port: 65535 };
    const [one] = connection.subflows;
    assert.ok(one);
    const far = {
      ...connection,
      local: long,
      remote: long,
      subflows: [{ ...one, local: long, remote: long }],
    };
    for (const columns of [80, 100, 200])
      for (const line of connectionText(far, () => "x".repeat(15), columns).split("\n"))
        assert.ok(line.length <= columns, `${columns}: ${line}`);
  });

  it("says which side made it, if that is known, and whether it became TCP", () => {
    const [initial, joined] = connection.subflows;
    assert.ok(initial && joined);
    const accepted = subflow(initial, 0, "capableRemote");
    assert.match(text({ subflows: [accepted] }), /, established, server\n/);
    assert.match(text({ subflows: [joined] }), /, established\n/);
    const info = { ...connection.info, flags: mptcpInfoFlags.of("fallback") };
    assert.match(text({ info, state: "close-wait" }), /, close-wait, client, fallback to TCP\n/);
    assert.equal(
      text({ subflows: [] }),
      "connection 00000ebe: 10.0.1.2 port 40000 to 10.0.1.1 port 443, established\n",
    );
  });

  it("says for whom a subflow is backup", () => {
    const by = (...flags: SubflowFlag[]) => {
      const line = text({ subflows: [subflow(socket("10.0.2.2", 5), 0, ...flags)] }).split("\n")[2];
      return line?.split(/ {2,}/)[7];
    };
    assert.equal(by(), "-");
    assert.equal(by("backupLocal"), "us");
    assert.equal(by("backupRemote"), "peer");
    assert.equal(by("backupLocal", "backupRemote"), "both");
  });

  it("has question marks where the kernel does not say what a socket is", () => {
    const unidentified = [socket("10.0.2.2", 5)];
    assert.match(
      text({ subflows: [], unidentified }),
      /10\.0\.2\.2 port 5 {2}\? {3}10\.0\.1\.1 port 443 {2}\? {3}wlan0 {6}established {2}\? /,
    );
    const object = connectionObject({ ...connection, subflows: [], unidentified }, interfaceOf);
    const { serverSide, subflows } = JSON.parse(JSON.stringify(object));
    assert.equal(serverSide, "unknown");
    assert.deepEqual(Object.keys(subflows[0]), [
      ...["local", "remote", "interface", "ifIndex", "state"],
      ...["rtt", "cwnd", "bytesSent", "bytesReceived", "bytesRetransmitted"],
    ]);
  });

  it("is an object with the names of path managers' programs", () => {
    const object = connectionObject(connection, interfaceOf);
    const common = {
      ...{ remote, remoteId: 0, state: "established", remoteBackup: false },
      ...{ cwnd: 10, bytesSent: 3 * 1024 * 1024, bytesReceived: 2000, bytesRetransmitted: 5 },
    };
    assert.deepEqual(object, {
      token: "00000ebe",
      state: "established",
      local: connection.local,
      remote,
      serverSide: false,
      fallback: false,
      uid: 1000,
      bytesSent: 9,
      bytesReceived: 8,
      bytesRetransmitted: 7,
      subflows: [
        {
          ...common,
          local: connection.local,
          ...{ localId: 0, initial: true, interface: "eth1", ifIndex: 0, localBackup: false, rtt: 12_345 },
        },
        {
          ...common,
          local: { address: "10.0.2.2", port: 5 },
          ...{ localId: 12, initial: false, interface: "wlan0", ifIndex: 3, localBackup: true, rtt: 234_567 },
        },
      ],
    });
  });
});

describe("a subflow that was asked for", () => {
  const made: Subflow = {
    ...{
      local: { address: "10.0.2.2", port: 5 },
      remote,
      localId: 3,
      remoteId: 1,
      initial: false,
      ifIndex: 4,
    },
    ...{ state: "established", backup: true, localBackup: true, remoteBackup: false },
  };

  it("is a line that begins as the other commands name it", () => {
    assert.equal(
      subflowLine(0xebe, made, "eth2"),
      "token 00000ebe 10.0.2.2 port 5 to 10.0.1.1 port 443 id 3 dev eth2 backup established\n",
    );
    const begun: Subflow = {
      ...made,
      local: { address: "10.0.2.2", port: 0 },
      localBackup: false,
      state: "connecting",
    };
    assert.equal(
      subflowLine(1, begun, undefined),
      "token 00000001 10.0.2.2 to 10.0.1.1 port 443 id 3 connecting\n",
    );
  });

  it("is an object as in a list of connections", () => {
    const { backup: _, ...rest } = made;
    assert.deepEqual(subflowObject(0xebe, made, "eth2"), { token: "00000ebe", interface: "eth2", ...rest });
  });
});

describe("nested JSON", () => {
  it("is laid out as ip lays out its own, and is the same as in one line", () => {
    const objects = [{ a: { b: 1 }, c: [{ d: "x" }], e: undefined }, { f: true }];
    assert.equal(
      jsonList(objects, true),
      '[ {\n        "a": {\n            "b": 1\n        },\n        "c": [\n            {\n                "d": "x"\n' +
        '            }\n        ]\n    },{\n        "f": true\n    } ]\n',
    );
    assert.deepEqual(JSON.parse(jsonList(objects, true)), JSON.parse(jsonList(objects, false)));
  });
});
