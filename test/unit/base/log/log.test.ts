import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import {
  closeSync,
  constants,
  mkdtempSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import fc from "fast-check";
import { createLogger, type Entry, type Level, logDestinations } from "../../../../src/base/log/log.ts";
import {
  encodeJournal,
  encodeSyslog,
  openSink,
  type SendDatagram,
  StderrSink,
} from "../../../../src/base/log/sinks.ts";
import { escapeLines } from "../../../../src/base/text.ts";

const directory = mkdtempSync(join(tmpdir(), "mptcpd-log-"));
after(() => rmSync(directory, { recursive: true }));

const entry = (message: string, level: Level = "info"): Entry => ({ level, message, fields: {} });

/** What a sink that writes to a file writes. */
function written(write: (fd: number) => void): string {
  const file = join(directory, "out");
  writeFileSync(file, "");
  const fd = openSync(file, "a");
  write(fd);
  closeSync(fd);
  return readFileSync(file, "utf8");
}

function fifo(name: string): string {
  const path = join(directory, name);
  execFileSync("mkfifo", [path]);
  return path;
}

describe("a logger", () => {
  it("hands level, message and fields to its sink", () => {
    const entries: Entry[] = [];
    const log = createLogger({ sink: { write: (one) => entries.push(one), close() {} }, debug: true });
    log.debug("a");
    log.error("b", { ERRNO: 5 });
    assert.deepEqual(entries, [
      { level: "debug", message: "a", fields: {} },
      { level: "error", message: "b", fields: { ERRNO: 5 } },
    ]);
  });

  it("drops debug messages unless it was told to keep them", () => {
    const entries: Entry[] = [];
    const log = createLogger({ sink: { write: (one) => entries.push(one), close() {} }, debug: false });
    log.debug("a");
    log.info("b");
    assert.deepEqual(entries, [entry("b")]);
  });
});

describe("stderr", () => {
  it("gets one line a message: its level and its text", () => {
    const text = written((fd) => {
      const sink = new StderrSink({ fd });
      sink.write(entry("endpoint 10.0.0.1 added", "notice"));
      sink.write(entry("two\nlines", "error"));
      sink.close();
    });
    assert.equal(text, "notice: endpoint 10.0.0.1 added\nerror: two lines\n");
  });

  it("has colours when asked, and none in a file", () => {
    const text = written((fd) => new StderrSink({ fd, colors: true }).write(entry("x", "error")));
    assert.equal(text, "\x1b[1;31merror:\x1b[0m x\n");
  });

  it("has no message that steers the terminal", () => {
    const text = written((fd) => new StderrSink({ fd }).write(entry("if \x1b[2J\x9b1m\u202e\r x")));
    assert.equal(text, "info: if \\u001b[2J\\u009b1m\\u202e x\n");
  });

  it("may be a pipe whose reader is gone, or one that comes back", () => {
    const path = fifo("gone");
    const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const fd = openSync(path, constants.O_WRONLY);
    const sink = new StderrSink({ fd });
    closeSync(reader);
    for (let count = 0; count < 3; count += 1) sink.write(entry("lost"));
    const again = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    sink.write(entry("heard"));
    const buffer = Buffer.alloc(4096);
    const length = readSync(again, buffer);
    assert.equal(buffer.toString("utf8", 0, length), "warning: messages lost here: 3\ninfo: heard\n");
    sink.close();
    for (const open of [fd, again]) closeSync(open);
  });

  it("may be a full pipe that nobody reads: messages are dropped, whole ones arrive, nothing waits", () => {
    const path = fifo("full");
    const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const fd = openSync(path, constants.O_WRONLY);
    const sink = new StderrSink({ fd });
    for (let count = 0; count < 2000; count += 1) sink.write(entry(`${count} ${"x".repeat(200)}`));
    const buffer = Buffer.alloc(1 << 20);
    const lines = buffer.toString("utf8", 0, readSync(reader, buffer)).split("\n");
    assert.equal(lines.pop(), "");
    assert.ok(lines.length > 100 && lines.length < 2000);
    for (const [index, line] of lines.entries()) assert.equal(line, `info: ${index} ${"x".repeat(200)}`);
    sink.write(entry("after"));
    const rest = buffer.toString("utf8", 0, readSync(reader, buffer));
    assert.equal(rest, `warning: messages lost here: ${2000 - lines.length}\ninfo: after\n`);
    sink.close();
    for (const open of [fd, reader]) closeSync(open);
  });

  it("may be closed, and the process lives on", async () => {
    const url = new URL("../../../../src/base/log/sinks.js", import.meta.url).href;
    const program = `
      import { closeSync } from "node:fs";
      const { StderrSink } = await import(${JSON.stringify(url)});
      if (process.argv[1]) closeSync(2);
      const sink = new StderrSink();
      const entry = { level: "info", message: "x".repeat(1000), fields: {} };
      for (let count = 0; count < 500; count += 1) sink.write(entry);
      process.exit(7);`;
    for (const closed of ["", "closed"]) {
      const child = spawn(process.execPath, ["--input-type=module", "-e", program, closed], {
        stdio: ["ignore", "ignore", "pipe"],
      });
      child.stderr.destroy();
      assert.equal(await new Promise((resolve) => child.once("exit", resolve)), 7);
    }
  });
});

describe("syslog", () => {
  it("gets <priority>name[pid]: and the message in one line (RFC 3164)", () => {
    const encode = (level: Level) => Buffer.from(encodeSyslog(entry("a\nb", level))).toString();
    assert.equal(encode("error"), `<27>mptcpd[${process.pid}]: a b`);
    assert.equal(encode("warning"), `<28>mptcpd[${process.pid}]: a b`);
    assert.equal(encode("notice"), `<29>mptcpd[${process.pid}]: a b`);
    assert.equal(encode("info"), `<30>mptcpd[${process.pid}]: a b`);
    assert.equal(encode("debug"), `<31>mptcpd[${process.pid}]: a b`);
  });
});

describe("the journal", () => {
  it("gets fields as lines", () => {
    const fields = { INTERFACE: "eth0", ENDPOINT_ID: 3 };
    assert.equal(
      Buffer.from(encodeJournal({ level: "warning", message: "m", fields })).toString(),
      "PRIORITY=4\nSYSLOG_IDENTIFIER=mptcpd\nMESSAGE=m\nINTERFACE=eth0\nENDPOINT_ID=3\n",
    );
  });

  it("gets values of several lines with their length before them", () => {
    const bytes = Buffer.from(encodeJournal(entry("ä\nb")));
    const head = "PRIORITY=6\nSYSLOG_IDENTIFIER=mptcpd\nMESSAGE\n";
    assert.deepEqual(
      bytes,
      Buffer.concat([Buffer.from(head), Buffer.from([4, 0, 0, 0, 0, 0, 0, 0]), Buffer.from("ä\nb\n")]),
    );
  });

  it("gets what could steer a terminal escaped, as a reader may print it", () => {
    const { MESSAGE } = decodeJournal(Buffer.from(encodeJournal(entry("a\u2028b\u001b[2J\tc\nd"))));
    assert.equal(MESSAGE, "a\\u2028b\\u001b[2J\tc\nd");
  });

  it("reads back whatever is written, but for what is escaped", () => {
    fc.assert(
      fc.property(
        fc.string({ unit: "grapheme" }),
        fc.string({ unit: fc.constantFrom("\n", "=", "a") }),
        (message, reason) => {
          const bytes = Buffer.from(encodeJournal({ level: "info", message, fields: { REASON: reason } }));
          assert.deepEqual(decodeJournal(bytes), {
            PRIORITY: "6",
            SYSLOG_IDENTIFIER: "mptcpd",
            MESSAGE: escapeLines(message),
            REASON: reason,
          });
        },
      ),
    );
  });

  it("gets no datagram that its socket could refuse for its size", () => {
    assert.ok(encodeJournal(entry("ä".repeat(1_000_000))).length < 65_536);
    assert.ok(encodeSyslog(entry("ä".repeat(1_000_000))).length < 65_536);
  });
});

describe("a destination", () => {
  const sinkWith = (destination: "syslog" | "journal", sendDatagram: SendDatagram, fd: number) =>
    openSink(destination, { sendDatagram, stderr: { fd } });

  it("is the socket that its readers listen at", () => {
    const paths: string[] = [];
    for (const destination of logDestinations) {
      const sendDatagram = (path: string) => paths.push(path);
      written((fd) => openSink(destination, { sendDatagram, stderr: { fd } }).write(entry("x")));
    }
    assert.deepEqual(paths, ["/dev/log", "/run/systemd/journal/socket"]);
  });

  it("that is missing is told once, and messages go to stderr until it is there", () => {
    let there = false;
    const sent: string[] = [];
    const send: SendDatagram = (path, data) => {
      if (!there) throw new Error("send to socket: no such file or directory");
      sent.push(`${path} ${Buffer.from(data)}`);
    };
    const text = written((fd) => {
      const sink = sinkWith("syslog", send, fd);
      sink.write(entry("one"));
      sink.write(entry("two"));
      there = true;
      sink.write(entry("three"));
      there = false;
      sink.write(entry("four"));
      sink.close();
    });
    const told =
      "warning: cannot log to syslog at /dev/log: send to socket: no such file or directory; logging to stderr until it is back\n";
    assert.equal(text, `${told}info: one\ninfo: two\n${told}info: four\n`);
    assert.deepEqual(sent, [`/dev/log <30>mptcpd[${process.pid}]: three`]);
  });

  it("null is silent", () => {
    const send: SendDatagram = () => assert.fail();
    assert.equal(
      written((fd) => openSink("null", { sendDatagram: send, stderr: { fd } }).write(entry("x"))),
      "",
    );
  });
});

/** The receiver's side of the native protocol. */
function decodeJournal(bytes: Buffer): Record<string, string> {
  const fields: Record<string, string> = {};
  for (let at = 0; at < bytes.length; ) {
    const end = bytes.indexOf("\n", at);
    const [, name = "", value] = /^([A-Z_]+)(?:=(.*))?$/s.exec(bytes.toString("utf8", at, end)) ?? [];
    at = end + 1;
    if (value === undefined) {
      const length = Number(bytes.readBigUInt64LE(at));
      fields[name] = bytes.toString("utf8", at + 8, at + 8 + length);
      assert.equal(bytes[at + 8 + length], 10);
      at += 9 + length;
    } else fields[name] = value;
  }
  return fields;
}
