import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { findCounter, parseCounters } from "../../../src/kernel/counters.ts";

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
  });
});
