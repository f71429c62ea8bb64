import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { addressLoads } from "../../../../src/control/connections/address-loads.ts";
import type { ConnectionOutline, SubflowOutline } from "../../../../src/kernel/sockets.ts";
import { initialOutline, outline, subflowOutline } from "./builders.ts";

const began = (address: string): SubflowOutline => ({ ...initialOutline(), local: { address, port: 1 } });
const joined = (address: string): SubflowOutline => subflowOutline({ local: { address, port: 2 } });
const loads = (...connections: ConnectionOutline[]) => Object.fromEntries(addressLoads(connections));

describe("what connections would lose with a local address", () => {
  it("is counted by connection: those with all subflows on it, and those that began on it", () => {
    const both = outline({ subflows: [began("10.0.0.1"), joined("10.0.1.1")] });
    const twice = outline({ subflows: [began("10.0.0.1"), joined("10.0.0.1")] });
    const later = outline({ subflows: [joined("10.0.1.1")] });
    assert.deepEqual(loads(both, twice, later, outline({ subflows: [] })), {
      "10.0.0.1": { only: 1, initial: 2 },
      "10.0.1.1": { only: 1, initial: 0 },
    });
  });

  it("does not count subflows that are not there yet", () => {
    const joining = { ...joined("10.0.1.1"), state: "syn-sent" as const };
    assert.deepEqual(loads(outline({ subflows: [began("10.0.0.1"), joining] })), {
      "10.0.0.1": { only: 1, initial: 1 },
    });
  });

  it("counts a connection whose program has closed it, until the peer has acknowledged everything", () => {
    const subflows = [{ ...began("10.0.0.1"), state: "fin-wait-1" as const }];
    const closing = outline({ subflows, inode: 0, state: "fin-wait-1" });
    assert.deepEqual(loads(closing), { "10.0.0.1": { only: 1, initial: 1 } });
    assert.deepEqual(loads({ ...closing, state: "fin-wait-2" }), {});
  });

  it("does not count connections that became plain TCP", () => {
    assert.deepEqual(loads(outline({ subflows: [began("10.0.0.1")], fallback: true })), {});
  });
});
