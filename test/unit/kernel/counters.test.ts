import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { findCounter, parseCounters, removalCounter } from "../../../src/kernel/counters.ts";

const text = [
  "TcpExt: SyncookiesSent RmAddrTx",
  "TcpExt: 3 4",
  "IpExt: InNoRoutes",
  "IpExt: 9",
  "MPTcpExt: MPCapableSYNTX RmAddrTx MaxConn",
  "MPTcpExt: 5 18446744073709551615 -1",
  "",
].join("\n");

describe("one counter", () => {
  it("is the one that all counters have", () => {
    for (const [group, counters] of parseCounters(text))
      for (const [name, value] of counters) assert.equal(findCounter(text, group, name), value);
  });

  it("is not there where the group or the name is not", () => {
    assert.equal(findCounter(text, "MPTcpExt", "RmAddr"), undefined);
    assert.equal(findCounter(text, "Ext", "RmAddrTx"), undefined);
    assert.equal(findCounter(text, "MPTcp", "RmAddrTx"), undefined);
    assert.equal(findCounter("", "MPTcpExt", "RmAddrTx"), undefined);
    assert.equal(findCounter("MPTcpExt: A RmAddrTx\nMPTcpExt: 1", "MPTcpExt", "RmAddrTx"), 0n, "cut short");
  });
});

describe("the counter of removals", () => {
  it("is read anew each time, from the file that was opened first", (t) => {
    const directory = mkdtempSync(join(tmpdir(), "mptcpd-test-"));
    t.after(() => rmSync(directory, { recursive: true }));
    const file = join(directory, "netstat");
    const write = (count: number) =>
      writeFileSync(file, `MPTcpExt: MPJoinSynTx RmAddrTx\nMPTcpExt: 5 ${count}\n`);
    const removals = removalCounter(directory);
    assert.equal(removals(), undefined, "there is none");
    for (const count of [7, 8]) {
      write(count);
      assert.equal(removals(), BigInt(count));
    }
    rmSync(file);
    assert.equal(removals(), 8n);
  });
});
