import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { median } from "../../../../bench/statistics.ts";
import { Checkpoint } from "../../../../src/control/connections/checkpoint.ts";
import { ConnectionTable } from "../../../../src/control/connections/connection-table.ts";
import { collectGarbage } from "../../../lab/netlink-socket.ts";
import { announced, closed, ofSubflow, opening } from "./builders.ts";

const MANY = 100_000;
const MOST = 100 * 2 ** 20;

/** Tokens are 32 bits of chance: half of them are no small integers to V8. */
function tokenOf(index: number): number {
  return Math.imul(index, 0x9e3779b1) >>> 0;
}

/**
 * A table with what is remembered of it, and the connections up to `count` in it: two subflows and an announced address
 * each.
 */
function fill(table: ConnectionTable, count: number): void {
  for (let index = 1; index <= count; index++) {
    const token = tokenOf(index);
    const ends = { localAddress: `10.0.${index >> 16}.1`, localPort: index & 0xffff, remotePort: 443 };
    const connection = { token, ...ends, remoteAddress: `10.1.${(index >> 8) & 255}.${index & 255}` };
    table.apply(opening("created", connection));
    table.apply(opening("established", connection));
    table.apply(announced(2, `10.2.${(index >> 8) & 255}.${index & 255}`, 443, token));
    table.apply(ofSubflow("subflowEstablished", { token, localAddress: `10.3.${index >> 16}.1` }));
  }
}

describe("a table of a hundred thousand connections", () => {
  it("takes less than 100 MiB with its checkpoint, and gives all of it back", async (t) => {
    const directory = mkdtempSync(join(tmpdir(), "connections-"));
    t.after(() => rmSync(directory, { recursive: true }));
    const table: ConnectionTable = new ConnectionTable((change) => checkpoint.record(change));
    const checkpoint = new Checkpoint({
      ...{ file: join(directory, "checkpoint"), bootId: "this boot", connections: table },
      warn: (message) => assert.fail(message),
    });
    checkpoint.load();
    checkpoint.begin();
    // What is made once, whatever the number; the addon's receive memory is counted as well.
    fill(table, 1000);
    checkpoint.flush();
    for (let index = 1; index <= 1000; index++) table.apply(closed(tokenOf(index)));
    checkpoint.flush();
    const empty = await held();
    fill(table, MANY);
    checkpoint.flush();
    const full = await held();
    assert.equal(table.size, MANY);
    for (let index = 1; index <= MANY; index++) table.apply(closed(tokenOf(index)));
    checkpoint.flush();
    // As each reading does.
    table.watchChanges();
    const left = await held();
    t.diagnostic(
      `${mebibytes(full - empty)} MiB for ${MANY}, ${mebibytes(left - empty)} MiB when they are closed`,
    );
    assert.ok(full - empty > MANY * 100, "it does hold them");
    assert.ok(full - empty < MOST, `${full - empty} bytes`);
    assert.ok(left - empty < MOST / 100, `${left - empty} bytes are left`);
  });

  it("applies an event as fast as one of a thousand", (t) => {
    const [few, many] = [1000, MANY].map((count) => {
      const table = new ConnectionTable(() => undefined);
      fill(table, count);
      return (): number => {
        const start = process.cpuUsage();
        for (let round = 0; round < 10_000; round++) {
          const index = 1 + ((round * 7919) % count);
          const localAddress = `10.3.${index >> 16}.1`;
          const token = tokenOf(index);
          table.apply(ofSubflow("subflowPriority", { token, localAddress, backup: round % 2 === 0 }));
        }
        const { user, system } = process.cpuUsage(start);
        return user + system;
      };
    });
    assert.ok(few && many);
    // In turn, so that what else runs on the machine slows both down. The first round compiles.
    const rounds = Array.from({ length: 12 }, () => ({ few: few(), many: many() })).slice(1);
    const times = median(rounds.map((round) => round.many)) / median(rounds.map((round) => round.few));
    t.diagnostic(`${times.toFixed(1)} times the processor time`);
    // Processor caches tell the two apart; what looked at all of them would take a hundred times as long.
    assert.ok(times < 10, `${times} times as long`);
  });
});

/** Bytes in use. */
async function held(): Promise<number> {
  await collectGarbage();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

function mebibytes(bytes: number): string {
  return (bytes / 2 ** 20).toFixed(1);
}
