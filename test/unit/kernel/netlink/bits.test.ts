import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { inspect } from "node:util";
import { bitNames } from "../../../../src/kernel/netlink/bits.ts";

const flags = bitNames({ up: 0, broadcast: 1, running: 6 });

describe("bits with names", () => {
  it("are walked by the names of those that are set, in the order of the declaration", () => {
    assert.deepEqual([...flags.of("running", "up")], ["up", "running"]);
    assert.deepEqual([...flags.of()], []);
    assert.deepEqual([...flags.from(0x83)], ["up", "broadcast"], "those without a name are left out");
  });

  it("are shown by their names, by console.log and in templates", () => {
    assert.equal(inspect({ flags: flags.of("up", "running") }), "{ flags: Bits(up,running) }");
    assert.equal(inspect(flags.of()), "Bits()");
    assert.equal(inspect(flags.from(0x81)), "Bits(up,0x80)");
    assert.equal(`${flags.of("up")}`, "up");
  });
});
