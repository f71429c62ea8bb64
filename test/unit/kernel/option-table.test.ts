import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { maxSlots } from "../../../src/kernel/bpf/option-rows.ts";
import { optionTable } from "../../../src/kernel/option-table.ts";
import { optionTable as source } from "../../lab/option-table.ts";

describe("the table of socket options in TypeScript", () => {
  it("is native/options/table.def: `node tools/option-table.mjs` makes it so", () => {
    const expected = source().map((row) => [row.level, row.number, row.name, row.class]);
    assert.deepEqual(optionTable, expected);
  });

  it("has no more hints than the BPF programs can remember", () => {
    assert.ok(optionTable.filter(([, , , optionClass]) => optionClass.startsWith("HINT")).length < maxSlots);
  });
});
