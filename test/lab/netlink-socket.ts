import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { NetlinkSocket, type NetlinkSocketOptions } from "../../src/kernel/netlink/socket.ts";

const NETLINK_ROUTE = 0;

/** A socket of rtnetlink's that hears nothing and fails at any fault; closed at the test's end, if one is given. */
export function openSocket(t?: TestContext, options: Partial<NetlinkSocketOptions> = {}): NetlinkSocket {
  const socket = NetlinkSocket.open({
    protocol: NETLINK_ROUTE,
    onReceive: () => {},
    onOverrun: () => assert.fail("overrun"),
    onError: (error) => assert.fail(error),
    ...options,
  });
  t?.after(() => socket.close());
  return socket;
}

/** Returns when what nobody holds is gone, finalizers included. */
export async function collectGarbage(): Promise<void> {
  setFlagsFromString("--expose-gc");
  const collect: unknown = runInNewContext("gc");
  assert.ok(typeof collect === "function");
  for (let i = 0; i < 4; i++) {
    collect();
    await turn();
  }
}
