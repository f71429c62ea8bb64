import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { VirtualClock } from "../../../../src/path-managers/simulation/clock.ts";
import { StatusLine, type Summary, statusText } from "../../../../src/programs/mptcpd/status.ts";

const since = new Date("2026-11-30T10:20:03Z");
const idle: Summary = { endpoints: 0, uplinks: 0, pathManagers: [] };
const inForce = { file: "/etc/mptcpd/mptcpd.conf", since, refused: undefined };

describe("the status", () => {
  it("says which configuration is in force, since when, and what mptcpd does by it", () => {
    const busy = { endpoints: 2, uplinks: 3, pathManagers: ["addr_adv", "fullmesh"] };
    assert.equal(
      statusText(inForce, busy),
      "/etc/mptcpd/mptcpd.conf in force since 2026-11-30 10:20:03 UTC; 2 endpoints, 3 uplinks; path managers: addr_adv, fullmesh",
    );
    assert.equal(
      statusText({ ...inForce, file: undefined }, { endpoints: 1, uplinks: 1, pathManagers: ["sspi"] }),
      "the defaults in force since 2026-11-30 10:20:03 UTC; 1 endpoint, 1 uplink; path manager: sspi",
    );
    assert.match(statusText(inForce, idle), /; 0 endpoints, 0 uplinks; path manager: none$/);
  });

  it("gives local times, with how far they are from UTC", (t) => {
    t.after(() => {
      Object.assign(process.env, { TZ: "UTC" });
    });
    const inZone = (zone: string): string => {
      Object.assign(process.env, { TZ: zone });
      return statusText(inForce, idle).split("; ")[0] ?? "";
    };
    assert.match(inZone("Asia/Kolkata"), / 2026-11-30 15:50:03 \+0530$/);
    assert.match(inZone("America/St_Johns"), / 2026-11-30 06:50:03 -0330$/);
    assert.match(inZone("Pacific/Auckland"), / 2026-11-30 23:20:03 \+1300$/);
  });

  it("says that the last reload was refused, when, and why", () => {
    const refused = {
      at: new Date("2026-12-01T00:00:00Z"),
      why: "mptcpd.conf:3: on-stop: \u001b[31m\nREADY=1",
    };
    assert.match(
      statusText({ ...inForce, refused }, idle),
      /; the last reload \(2026-12-01 00:00:00 UTC\) was refused: mptcpd\.conf:3: on-stop: \\u001b\[31m READY=1$/,
    );
    const long = statusText({ ...inForce, refused: { ...refused, why: "x".repeat(100_000) } }, idle);
    assert.ok(long.length < 500, `${long.length}`);
  });
});

describe("the status line", () => {
  it("is told when it changes, at most once a second, and not again while it stays", async () => {
    const clock = new VirtualClock();
    const told: string[] = [];
    let asked = 0;
    let text = "one";
    const status = new StatusLine({
      clock,
      text: () => {
        asked++;
        return text;
      },
      tell: (line) => told.push(line),
    });
    status.update();
    status.update();
    assert.deepEqual(told, ["one"]);
    asked = 0;
    for (let change = 0; change < 1000; change++) {
      text = `change ${change}`;
      status.changed();
      await clock.advance(10);
    }
    await clock.advance(1000);
    assert.ok(asked <= 11, `${asked} looks in ten seconds`);
    assert.equal(told.at(-1), "change 999");
    const before = told.length;
    status.changed();
    await clock.advance(5000);
    assert.equal(told.length, before);
  });

  it("is told at once where somebody waits for it", () => {
    const told: string[] = [];
    let text = "one";
    const status = new StatusLine({
      clock: new VirtualClock(),
      text: () => text,
      tell: (line) => told.push(line),
    });
    status.update();
    text = "two";
    status.update();
    assert.deepEqual(told, ["one", "two"]);
  });
});
