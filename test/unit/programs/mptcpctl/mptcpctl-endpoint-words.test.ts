import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import {
  type EndpointCommand,
  readEndpointWords,
  readLimitsWords,
} from "../../../../src/programs/mptcpctl/commands/endpoint.ts";
import { UsageError } from "../../../../src/programs/mptcpctl/io/output.ts";
import { expand } from "../../../../src/programs/mptcpctl/io/word-grammar.ts";

function endpoint(line: string) {
  const [command = "", ...words] = line.split(" ").filter((word) => word !== "");
  return readEndpointWords(commandNamed(command), words);
}

const commands = ["add", "change", "delete", "show", "flush"] as const satisfies EndpointCommand[];

function commandNamed(name: string): EndpointCommand {
  const command = commands.find((candidate) => candidate === name);
  assert.ok(command, name);
  return command;
}

function refuses(line: string, message: RegExp) {
  assert.throws(
    () => endpoint(line),
    (error) => {
      assert.ok(error instanceof UsageError, String(error));
      assert.match(error.message, message);
      assert.doesNotMatch(error.message, /\n/);
      return true;
    },
    line,
  );
}

describe("the words of mptcpctl endpoint", () => {
  it("take the forms of ip-mptcp(8), in any order", () => {
    const whole = { address: "10.0.0.1", id: 7, port: 80, dev: "eth0", flags: ["signal", "backup"] };
    assert.deepEqual(endpoint("add 10.0.0.1 dev eth0 id 7 port 80 signal backup"), whole);
    assert.deepEqual(endpoint("add signal id 7 backup 10.0.0.1 port 80 dev eth0"), whole);
    assert.deepEqual(endpoint("delete id 3"), { id: 3, flags: [] });
    assert.deepEqual(endpoint("delete id 0 10.0.0.1"), { id: 0, address: "10.0.0.1", flags: [] });
    assert.deepEqual(endpoint("change id 3 backup"), { id: 3, flags: ["backup"], changes: true });
    assert.deepEqual(endpoint("change 10.0.0.1 port 80 fullmesh nobackup"), {
      address: "10.0.0.1",
      port: 80,
      flags: ["fullmesh"],
      changes: true,
    });
    assert.deepEqual(endpoint("show"), { flags: [] });
    assert.deepEqual(endpoint("flush"), { flags: [] });
  });

  it("may be shortened, but for flags and values", () => {
    assert.deepEqual(endpoint("add 10.0.0.1 d eth0 i 7 p 80 signal"), {
      address: "10.0.0.1",
      id: 7,
      port: 80,
      dev: "eth0",
      flags: ["signal"],
    });
    refuses("add 10.0.0.1 sig", /"sig" is not understood/);
  });

  it("give addresses their one text", () => {
    assert.equal(endpoint("add 2001:DB8:0:0::1").address, "2001:db8::1");
    // An address may begin like a keyword.
    assert.equal(endpoint("add dead::1").address, "dead::1");
  });

  it("give numbers as strtoul(3) reads them", () => {
    for (const [word, id] of [
      ["10", 10],
      ["0xa", 10],
      ["012", 10],
      ["255", 255],
    ] as const)
      assert.equal(endpoint(`show id ${word}`).id, id);
    for (const word of ["256", "-1", "1x", "0x", "1.5", "1e2"])
      refuses(`show id ${word}`, /is not a valid endpoint id; give a number from 0 to 255/);
    refuses("add 10.0.0.1 port 65536 signal", /is not a valid port; give a number from 0 to 65535/);
  });

  it("take a token as monitor prints it", () => {
    assert.equal(endpoint("show token feaaba52").token, 0xfeaaba52);
    assert.equal(endpoint("show token 0x1A").token, 26);
    refuses("show token 123456789", /is not a token; a token has up to eight hexadecimal digits/);
  });

  it("are refused with what is allowed", () => {
    refuses(
      "add foo",
      /"foo" is not understood; allowed: ADDRESS, id ID, dev NAME, port NR, signal, subflow/,
    );
    refuses(
      "change id 1 subflow",
      /allowed: ADDRESS, id ID, port NR, backup, nobackup, fullmesh, nofullmesh/,
    );
    refuses("flush all", /no further word is allowed/);
    refuses("add 10.0.0.1 id", /ID is missing after id/);
    refuses("add 10.0.0.0/24", /"10.0.0.0\/24" is not an address: leave out the prefix length, "\/24"$/);
    refuses("add 10.1", /"10.1" is not an address; write it in full, such as 10.0.0.1 or fd00::1$/);
    refuses("add fd00:1", /"fd00:1" is not an address; write it in full/);
    refuses("add fe80::1%eth0", /is not an address: leave out the interface, "%eth0"$/);
    refuses("add 10.0.0.1 10.0.0.2", /^endpoint add: ADDRESS is given twice$/);
    refuses("add 10.0.0.1 id 1 id 2", /^endpoint add: id is given twice$/);
    refuses("add 10.0.0.1 dev a dev b", /^endpoint add: dev is given twice$/);
    refuses("add 10.0.0.1 port 1 port 2 signal", /^endpoint add: port is given twice$/);
    refuses("show token 1 token 2", /^endpoint show: token is given twice$/);
  });

  it("are refused where they make no sense together", () => {
    refuses("add dev eth0", /ADDRESS is missing/);
    refuses("add 10.0.0.1 signal fullmesh", /signal and fullmesh exclude each other/);
    refuses("add 10.0.0.1 id 0", /id 0 is reserved/);
    refuses("add 10.0.0.1 port 80 subflow", /needs the flag signal/);
    refuses("change backup", /say which endpoint/);
    refuses("change id 1", /say what to change: backup, nobackup, fullmesh, nofullmesh/);
    refuses("change id 1 port 80 backup", /a port goes with ADDRESS/);
    refuses("delete 10.0.0.1", /id ID is missing; `mptcpctl endpoint show` lists the ids/);
    refuses("delete id 0", /needs ADDRESS as well/);
    refuses("delete id 1 10.0.0.1", /ADDRESS goes with id 0 only/);
  });

  it("give a request or a UsageError of one line, whatever they are", () => {
    const word = fc.oneof(
      fc.constantFrom(
        "id",
        "dev",
        "port",
        "token",
        "signal",
        "subflow",
        "backup",
        "10.0.0.1",
        "::",
        "0",
        "9",
        "",
      ),
      fc.string(),
    );
    fc.assert(
      fc.property(fc.constantFrom(...commands), fc.array(word, { maxLength: 6 }), (command, words) => {
        try {
          readEndpointWords(command, words);
        } catch (error) {
          assert.ok(error instanceof UsageError, String(error));
        }
      }),
    );
  });
});

describe("the words of mptcpctl limits", () => {
  it("are limits by name, one or both", () => {
    assert.deepEqual(readLimitsWords("set", ["subflows", "3", "add_addr_accepted", "2"]), {
      subflows: 3,
      addAddrAccepted: 2,
    });
    assert.deepEqual(readLimitsWords("set", ["add", "4294967295"]), { addAddrAccepted: 4294967295 });
  });

  it("are refused with what is allowed", () => {
    assert.throws(
      () => readLimitsWords("set", []),
      /say which: \[ subflows NR \] \[ add_addr_accepted NR \]/,
    );
    assert.throws(() => readLimitsWords("set", ["foo"]), /allowed: subflows NR, add_addr_accepted NR/);
    assert.throws(() => readLimitsWords("set", ["subflows", "4294967296"]), /from 0 to 4294967295/);
    assert.throws(() => readLimitsWords("show", ["subflows"]), /no further word is allowed/);
  });
});

describe("an abbreviation", () => {
  it("means the first word that it begins", () => {
    assert.equal(expand("s", ["set", "show"]), "set");
    assert.equal(expand("sh", ["set", "show"]), "show");
    assert.equal(expand("x", ["set", "show"]), undefined);
    assert.equal(expand("", ["set", "show"]), undefined);
  });
});
