import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import {
  readAnnounceWords,
  readListenWords,
  readWithdrawWords,
} from "../../../../src/programs/mptcpctl/commands/announce.ts";
import { readConnectionsWords } from "../../../../src/programs/mptcpctl/commands/connections.ts";
import {
  readChangeWords,
  readCreateWords,
  readDestroyWords,
} from "../../../../src/programs/mptcpctl/commands/subflow.ts";
import { UsageError } from "../../../../src/programs/mptcpctl/io/output.ts";

const readers = {
  connections: readConnectionsWords,
  create: readCreateWords,
  destroy: readDestroyWords,
  change: readChangeWords,
  announce: readAnnounceWords,
  withdraw: readWithdrawWords,
  listen: readListenWords,
};

type Reader = keyof typeof readers;

function read(reader: Reader, line: string) {
  return readers[reader](line.split(" ").filter((word) => word !== ""));
}

function refuses(reader: Reader, line: string, message: RegExp) {
  assert.throws(
    () => read(reader, line),
    (error) => {
      assert.ok(error instanceof UsageError, String(error));
      assert.match(error.message, message);
      assert.doesNotMatch(error.message, /\n/);
      return true;
    },
    line,
  );
}

describe("the words of mptcpctl connections", () => {
  it("are a token or an address, or none", () => {
    assert.deepEqual(read("connections", ""), {});
    assert.deepEqual(read("connections", "84e50ebe"), { token: 0x84e50ebe });
    assert.deepEqual(read("connections", "0x1A"), { token: 26 });
    assert.deepEqual(read("connections", "10.0.0.1"), { address: "10.0.0.1" });
    assert.deepEqual(read("connections", "FD00::1"), { address: "fd00::1" });
    assert.deepEqual(read("connections", "::ffff:10.0.0.1"), { address: "10.0.0.1" });
  });

  it("are refused with what is allowed", () => {
    refuses("connections", "eth0", /connections: "eth0" is not understood; allowed: TOKEN or ADDRESS/);
    refuses("connections", "123456789", /is not understood/);
    refuses("connections", "1 10.0.0.1", /one TOKEN or one ADDRESS, or none for all/);
  });
});

describe("the words of mptcpctl subflow", () => {
  const created = {
    token: 0x84e50ebe,
    address: "10.0.2.2",
    id: undefined,
    dev: undefined,
    to: { address: "10.0.1.1", port: undefined },
    backup: false,
  };
  const ends = {
    token: 1,
    local: { address: "10.0.2.2", port: 4000 },
    remote: { address: "10.0.1.1", port: 80 },
  };

  it("say from where to where a new one goes", () => {
    assert.deepEqual(read("create", "token 84e50ebe 10.0.2.2 to 10.0.1.1"), created);
    const whole = { ...created, id: 3, dev: "eth2", to: { address: "10.0.1.1", port: 80 }, backup: true };
    assert.deepEqual(
      read("create", "token 84e50ebe 10.0.2.2 id 3 dev eth2 to 10.0.1.1 port 80 backup"),
      whole,
    );
    assert.deepEqual(
      read("create", "backup to 10.0.1.1 port 80 dev eth2 id 3 10.0.2.2 token 84e50ebe"),
      whole,
    );
    assert.equal(
      readCreateWords(["token", "1", "FD00::2", "to", "::FFFF:10.0.0.1"]).to.address,
      "::ffff:10.0.0.1",
    );
  });

  it("may be shortened, `t` being `to`", () => {
    assert.deepEqual(read("create", "tok 84e50ebe 10.0.2.2 t 10.0.1.1"), created);
    assert.deepEqual(read("destroy", "tok 1 10.0.2.2 p 4000 t 10.0.1.1 p 80"), ends);
  });

  it("name one that there is by both its ends, each port after its address", () => {
    assert.deepEqual(read("destroy", "token 1 10.0.2.2 port 4000 to 10.0.1.1 port 80"), ends);
    assert.deepEqual(read("destroy", "10.0.2.2 port 4000 token 1 to 10.0.1.1 port 80"), ends);
    assert.deepEqual(read("change", "token 1 10.0.2.2 port 4000 to 10.0.1.1 port 80 backup"), {
      ...ends,
      backup: true,
    });
    assert.deepEqual(read("change", "nobackup token 1 10.0.2.2 port 4000 to 10.0.1.1 port 80"), {
      ...ends,
      backup: false,
    });
  });

  it("are refused where something is missing, with the whole usage", () => {
    refuses(
      "create",
      "10.0.2.2 to 10.0.1.1",
      /^subflow create: token TOKEN is missing: token TOKEN ADDRESS \[/,
    );
    refuses("create", "token 1 to 10.0.1.1", /ADDRESS is missing/);
    refuses("create", "token 1 10.0.2.2", /to ADDRESS is missing/);
    refuses("create", "token 1 10.0.2.2 10.0.1.1", /to ADDRESS is missing/);
    refuses("destroy", "token 1 10.0.2.2 to 10.0.1.1 port 80", /port NR after ADDRESS is missing/);
    refuses("destroy", "token 1 10.0.2.2 port 1 to 10.0.1.1", /port NR after to ADDRESS is missing/);
    refuses("change", "token 1 10.0.2.2 port 1 to 10.0.1.1 port 2", /say what to change: backup, nobackup/);
  });

  it("are refused where they make no sense", () => {
    refuses("create", "token 1 10.0.2.2 port 5 to 10.0.1.1", /the kernel chooses the port/);
    refuses("create", "token 1 port 5 10.0.2.2 to 10.0.1.1", /port must follow the address/);
    refuses("create", "token xyz 10.0.2.2 to 10.0.1.1", /"xyz" is not a token/);
    refuses("create", "token 1 10.0.2.2 to 10.0.1.1 10.0.1.3", /^subflow create: ADDRESS is given twice$/);
    refuses("create", "token 1 10.0.2.2 to 10.0.1.1 to 10.0.1.3", /^subflow create: to is given twice$/);
    refuses("create", "token 1 10.0.2.2 to 10.0.1.1/24", /leave out the prefix length/);
    refuses("destroy", "token 1 10.0.2.2 port 1 port 2 to 10.0.1.1", /a port of one address is given twice/);
    refuses(
      "create",
      "token 1 10.0.2.2 id 256 to 10.0.1.1",
      /is not a valid address id; give a number from 0 to 255/,
    );
    refuses(
      "create",
      "token 1 10.0.2.2 to here",
      /"here" is not understood; allowed: ADDRESS, to ADDRESS, token/,
    );
    refuses("create", "token 1 10.0.2.2 to 10.0.1.1 signal", /"signal" is not understood/);
    refuses("destroy", "token 1 10.0.2.2 port 1 to 10.0.1.1 port 2 backup", /"backup" is not understood/);
  });
});

describe("the words of mptcpctl announce, withdraw and listen", () => {
  it("say which address, and of which connection", () => {
    assert.deepEqual(read("announce", "token 1 10.0.2.2 id 9 port 5000 dev eth2 listen"), {
      ...{ token: 1, address: "10.0.2.2", id: 9, port: 5000, dev: "eth2", listen: true },
    });
    assert.deepEqual(read("announce", "token 1 fd00::2"), {
      ...{ token: 1, address: "fd00::2", id: undefined, port: undefined, dev: undefined, listen: false },
    });
    assert.deepEqual(read("withdraw", "id 9 token ff"), { token: 255, id: 9 });
    assert.deepEqual(read("withdraw", "token ff id 0"), { token: 255, id: 0 });
    assert.deepEqual(read("listen", "port 80 ::"), { address: "::", port: 80 });
  });

  it("are refused with what is missing or allowed", () => {
    refuses("announce", "token 1", /^announce: ADDRESS is missing: token TOKEN ADDRESS \[ id ID \]/);
    refuses("announce", "10.0.2.2", /token TOKEN is missing/);
    refuses("announce", "token 1 10.0.2.2 port 0", /port 0 means any free port, which needs `listen`/);
    refuses("announce", "token 1 10.0.2.2 id 0", /id 0 is the address of the initial subflow/);
    refuses("withdraw", "token 1", /id ID is missing/);
    refuses("withdraw", "token 1 10.0.0.1", /allowed: token TOKEN, id ID/);
    refuses("listen", "10.0.0.1", /port NR is missing/);
    refuses("listen", "80 port 80", /"80" is not understood/);
  });

  it("give a request or a UsageError of one line, whatever they are", () => {
    const word = fc.oneof(
      fc.constantFrom("to", "token", "id", "dev", "port", "backup", "listen", "10.0.0.1", "::", "0", "9", ""),
      fc.string(),
    );
    const names = fc.constantFrom<Reader>(
      "connections",
      "create",
      "destroy",
      "change",
      "announce",
      "withdraw",
      "listen",
    );
    fc.assert(
      fc.property(names, fc.array(word, { maxLength: 8 }), (reader, words) => {
        try {
          readers[reader](words);
        } catch (error) {
          assert.ok(error instanceof UsageError, String(error));
        }
      }),
    );
  });
});
