import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { endpointFlags } from "../../../../src/kernel/mptcp-pm.ts";
import type { GivenCommand } from "../../../../src/path-managers/simulation/watched-kernel.ts";
import {
  readAnnounceWords,
  readListenWords,
  readWithdrawWords,
} from "../../../../src/programs/mptcpctl/commands/announce.ts";
import { readEndpointWords, readLimitsWords } from "../../../../src/programs/mptcpctl/commands/endpoint.ts";
import {
  readChangeWords,
  readCreateWords,
  readDestroyWords,
} from "../../../../src/programs/mptcpctl/commands/subflow.ts";
import {
  commandObject,
  commandText,
  stamp,
  wantedObject,
  wantedText,
} from "../../../../src/programs/mptcpctl/io/replay-format.ts";

const nameOf = (ifIndex: number) => `eth${ifIndex}`;
const token = 0xebe;
const local = { address: "10.0.2.2", port: 5000 };
const remote = { address: "10.0.1.1", port: 443 };
const { of } = endpointFlags;

/** Commands, their lines, and how these are read again: what a replay prints can be run. */
const cases: readonly [GivenCommand, string, (words: string[]) => object][] = [
  [
    {
      name: "subflow create",
      token,
      local: { address: "10.0.2.2", id: 3, ifIndex: 2 },
      remote,
      backup: true,
    },
    "subflow create token 00000ebe 10.0.2.2 id 3 dev eth2 to 10.0.1.1 port 443 backup",
    readCreateWords,
  ],
  [
    { name: "subflow create", token, local: { address: "10.0.2.2", id: 0 }, remote, backup: false },
    "subflow create token 00000ebe 10.0.2.2 id 0 to 10.0.1.1 port 443",
    readCreateWords,
  ],
  [
    { name: "subflow destroy", token, local, remote },
    "subflow destroy token 00000ebe 10.0.2.2 port 5000 to 10.0.1.1 port 443",
    readDestroyWords,
  ],
  [
    { name: "subflow change", token, local, remote, backup: false },
    "subflow change token 00000ebe 10.0.2.2 port 5000 to 10.0.1.1 port 443 nobackup",
    readChangeWords,
  ],
  [
    { name: "announce", token, local: { ...local, id: 7, ifIndex: 2 } },
    "announce token 00000ebe 10.0.2.2 id 7 port 5000 dev eth2",
    readAnnounceWords,
  ],
  [{ name: "withdraw", token, id: 7 }, "withdraw token 00000ebe id 7", readWithdrawWords],
  [{ name: "listen", local }, "listen 10.0.2.2 port 5000", readListenWords],
  [
    {
      name: "endpoint add",
      endpoint: { address: "10.0.2.2", id: 7, ifIndex: 2, flags: of("subflow", "backup") },
    },
    "endpoint add 10.0.2.2 id 7 dev eth2 subflow backup",
    (words) => readEndpointWords("add", words),
  ],
  [
    { name: "endpoint change", id: 7, flags: of("backup") },
    "endpoint change id 7 backup",
    (words) => readEndpointWords("change", words),
  ],
  [
    { name: "endpoint change", id: 7, flags: of() },
    "endpoint change id 7 nobackup",
    (words) => readEndpointWords("change", words),
  ],
  [{ name: "endpoint delete", id: 7 }, "endpoint delete id 7", (words) => readEndpointWords("delete", words)],
  [{ name: "endpoint flush" }, "endpoint flush", (words) => readEndpointWords("flush", words)],
  [
    { name: "limits set", limits: { subflows: 3, addAddrAccepted: 4 } },
    "limits set subflows 3 add_addr_accepted 4",
    (words) => readLimitsWords("set", words),
  ],
];

describe("a command of a path manager", () => {
  for (const [command, line, readAgain] of cases)
    it(`is a line that mptcpctl takes: ${line}`, () => {
      assert.equal(commandText(command, nameOf), line);
      const words = line.slice(command.name.length).trim().split(" ");
      readAgain(words.filter((word) => word !== ""));
      const { command: name, words: whole } = commandObject(command, nameOf);
      assert.deepEqual([name, whole], [command.name, line]);
    });

  it("is an object of its parts", () => {
    const [create, , , , announce] = cases.map(([command]) => commandObject(command, nameOf));
    assert.deepEqual(JSON.parse(JSON.stringify(create)), {
      command: "subflow create",
      ...{ token: "00000ebe", address: "10.0.2.2", id: 3, dev: "eth2", to: remote, backup: true },
      words: "subflow create token 00000ebe 10.0.2.2 id 3 dev eth2 to 10.0.1.1 port 443 backup",
    });
    assert.deepEqual(JSON.parse(JSON.stringify(announce)), {
      command: "announce",
      ...{ token: "00000ebe", address: "10.0.2.2", port: 5000, id: 7, dev: "eth2" },
      words: "announce token 00000ebe 10.0.2.2 id 7 port 5000 dev eth2",
    });
  });
});

describe("an endpoint that is wanted", () => {
  const wanted = { address: "10.0.2.2", ifIndex: 2, flags: of("signal"), port: 80, priority: 0 };

  it("is written as endpoints are", () => {
    assert.equal(wantedText(wanted, nameOf), "10.0.2.2 port 80 signal dev eth2");
    assert.deepEqual(JSON.parse(JSON.stringify(wantedObject(wanted, nameOf))), {
      ...{ address: "10.0.2.2", port: 80, dev: "eth2", flags: "signal" },
    });
    assert.equal(wantedText({ ...wanted, port: 0, flags: of() }, nameOf), "10.0.2.2 dev eth2");
  });
});

describe("a time in a replay", () => {
  it("is in seconds", () => {
    assert.equal(stamp(0), "[    0.000] ");
    assert.equal(stamp(1234.5678), "[    1.235] ");
    assert.equal(stamp(86_400_000), "[86400.000] ");
  });
});
