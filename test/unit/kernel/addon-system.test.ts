import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { closeSync, constants, fstatSync, linkSync, openSync, readFileSync, unlinkSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { describe, it, type TestContext } from "node:test";
import { appendText } from "../../../src/kernel/append.ts";
import { lockFile } from "../../../src/kernel/file-lock.ts";
import { sendDatagram } from "../../../src/kernel/native-sockets.ts";
import { networkNamespaceCookie } from "../../../src/kernel/network-namespace.ts";
import { within } from "../../../src/lab/kit/wait.ts";
import { temporaryDirectory } from "../temporary.ts";

describe("sendDatagram", () => {
  for (const kind of ["a file", "an abstract address"]) {
    it(`reaches ${kind}, and says EAGAIN when the receiver does not keep up`, async (t) => {
      const directory = temporaryDirectory(t);
      const path = kind === "a file" ? join(directory, "socket") : `@mptcpd-test-${process.pid}`;
      // Reads one datagram, then no more; perl is part of every Debian.
      const receiver = spawn("perl", ["-MSocket", "-e", perlReceiver, path], {
        stdio: ["pipe", "pipe", "inherit"],
      });
      t.after(() => receiver.kill("SIGKILL"));
      const lines = createInterface({ input: receiver.stdout })[Symbol.asyncIterator]();
      assert.equal((await within("the receiver", lines.next())).value, "ready");
      sendDatagram(path, Buffer.from("hello"));
      assert.equal((await within("the datagram", lines.next())).value, "hello");
      assert.throws(
        () => {
          for (let i = 0; i < 10_000; i++) sendDatagram(path, Buffer.from("more"));
        },
        { code: "EAGAIN" },
      );
    });
  }

  it("says why a datagram cannot be sent", (t) => {
    const missing = join(temporaryDirectory(t), "missing");
    assert.throws(() => sendDatagram(missing, Buffer.from("x")), { code: "ENOENT" });
    assert.throws(() => sendDatagram("@mptcpd-test-nobody", Buffer.from("x")), { code: "ECONNREFUSED" });
    assert.throws(() => sendDatagram("@mptcpd-test-nobody", new Uint8Array(64 << 20)), { code: "EMSGSIZE" });
    assert.throws(() => sendDatagram("x".repeat(108), Buffer.from("x")), { code: "ENAMETOOLONG" });
  });
});

describe("appendText", () => {
  const { O_APPEND, O_CREAT, O_WRONLY } = constants;
  const setUp = (t: TestContext) => {
    const file = join(temporaryDirectory(t), "file");
    const fd = openSync(file, O_WRONLY | O_CREAT | O_APPEND);
    t.after(() => closeSync(fd));
    return { file, fd };
  };

  it("appends text of any length, in UTF-8", (t) => {
    const { file, fd } = setUp(t);
    // Around the length that the addon copies without asking for memory.
    const texts = [
      "a\n",
      ...[1019, 1020, 1021, 1022, 1023, 1024, 5000].flatMap((n) =>
        ["é", "𝄞"].map((c) => "x".repeat(n - 1) + c),
      ),
    ];
    for (const text of texts) assert.equal(appendText(fd, text), true);
    assert.equal(readFileSync(file, "utf8"), texts.join(""));
  });

  it("writes nothing into a file that somebody has removed, or linked to", (t) => {
    const { file, fd } = setUp(t);
    linkSync(file, `${file}.link`);
    assert.equal(appendText(fd, "a\n"), false);
    unlinkSync(`${file}.link`);
    assert.equal(appendText(fd, "a\n"), true);
    unlinkSync(file);
    assert.equal(appendText(fd, "b\n"), false);
    assert.equal(fstatSync(fd).size, 2);
  });

  it("says that a file cannot be written", () => {
    const full = openSync("/dev/full", O_WRONLY);
    assert.equal(appendText(full, "a\n"), false);
    closeSync(full);
    assert.equal(appendText(full, "a\n"), false);
  });
});

describe("lockFile", () => {
  it("locks a file for one holder, until it closes it", (t) => {
    const path = join(temporaryDirectory(t), "lock");
    const first = openSync(path, "w");
    const second = openSync(path, "w");
    assert.equal(lockFile(first), true);
    assert.equal(lockFile(second), false);
    closeSync(first);
    assert.equal(lockFile(second), true);
    closeSync(second);
    assert.throws(() => lockFile(second), { code: "EBADF" });
  });
});

describe("networkNamespaceCookie", () => {
  it("stays the same", () => {
    const cookie = networkNamespaceCookie();
    assert.ok(cookie === undefined || cookie > 0n);
    assert.equal(networkNamespaceCookie(), cookie);
  });
});

const perlReceiver = `
  $| = 1;
  my $path = $ARGV[0] =~ s/^@/\\0/r;
  socket(my $socket, AF_UNIX, SOCK_DGRAM, 0) or die $!;
  bind($socket, sockaddr_un($path)) or die $!;
  print "ready\\n";
  recv($socket, my $data, 1000, 0);
  print "$data\\n";
  <STDIN>;
`;
