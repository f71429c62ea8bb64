import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { pictureOfAddresses, pictureOfConnections } from "../../../bench/pictures.ts";
import type { GrowthRun } from "../../../bench/results.ts";

function runOn(node: string, factor: number): GrowthRun {
  const machine = { processor: "P", cores: 2, memoryGiB: 4 };
  const cost = { memory: 12 * factor, cpu: 100, start: 100, ours: 300, bareC: 100, reading: 2 };
  return {
    ...{ date: "2026-01-01", machine, kernel: "6.1", node, theirs: null },
    addresses: [1, 10, 100].map((count) => ({ count, ...cost, ours: 10 * count * factor })),
    connections: [10, 100_000].map((count) => ({ count, ...cost })),
  };
}

const addresses = pictureOfAddresses([runOn("24.1.0", 1), runOn("20.1.0", 2)]);

describe("pictures of how cost grows", () => {
  it("have a line for each Node and one for the bare loop", () => {
    const names = [...addresses.matchAll(/<text x="\d+" y="\d+">([^<]+)<\/text>/g)].map(([, name]) => name);
    assert.deepEqual(names, ["Node 24", "Node 20", "bare C loop"]);
  });

  it("are straight where cost grows as the number does: both axes are logarithmic", () => {
    const points = addresses.match(/class="line line0" points="([^"]+)"/)?.[1] ?? "";
    const [first = [], second = [], third = []] = points
      .split(" ")
      .map((point) => point.split(",").map(Number));
    for (const axis of [0, 1]) {
      const [a = 0, b = 0, c = 0] = [first[axis], second[axis], third[axis]];
      assert.notEqual(a, b);
      assert.ok(Math.abs(c - b - (b - a)) < 0.2, points);
    }
  });

  it("name what is on their axes, with units, and have all decades", () => {
    const connections = pictureOfConnections([runOn("24.1.0", 1)]);
    for (const text of [
      "private memory, MiB",
      "start until ready, ms",
      "connections",
      "10",
      "1,000",
      "100,000",
    ])
      assert.ok(connections.includes(`>${text}</text>`), text);
  });

  it("have finer steps where values differ little", () => {
    for (const text of ["10", "20", "50"])
      assert.ok(addresses.includes(`text-anchor="end">${text}</text>`), text);
  });

  it("have colours for light and dark pages", () => {
    assert.match(addresses, /@media \(prefers-color-scheme: dark\)/);
  });
});
