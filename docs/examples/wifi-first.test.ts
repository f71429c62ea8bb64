import assert from "node:assert/strict";
import { test } from "node:test";
import { simulate } from "mptcpd/testing";
import wifiFirst from "./wifi-first.ts";

test("the modem is a backup of the Wi-Fi, also when it comes later", async (t) => {
  const simulation = await simulate(wifiFirst, { interfaces: { wlan0: ["10.0.1.2"] } });
  t.after(() => simulation[Symbol.asyncDispose]());
  const peer = simulation.connect({ from: "10.0.1.2", to: "10.0.9.9" });
  simulation.plug("wwan0", ["10.0.2.2"]);
  await simulation.settle();
  assert.deepEqual(peer.subflows, ["10.0.1.2 > 10.0.9.9", "10.0.2.2 > 10.0.9.9 backup"]);
});
