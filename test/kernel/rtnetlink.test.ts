import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { describe, it } from "node:test";
import { decodeAddressEvent, dumpAddresses } from "../../src/kernel/addresses.ts";
import { dumpLinks } from "../../src/kernel/links.ts";
import { routeRequest } from "../../src/kernel/messages/rtnetlink.ts";
import { body } from "../../src/kernel/netlink/connection.ts";
import { dumpRoutes, lookupRoute, routeFlags } from "../../src/kernel/routes.ts";
import { groups, openRtnetlink, RTM_GETROUTE } from "../../src/kernel/rtnetlink.ts";
import { AF_INET6 } from "../../src/kernel/socket-numbers.ts";
import { requires } from "../../src/lab/kit/requires.ts";
import { waitFor } from "../../src/lab/kit/wait.ts";
import { listen, useRtnetlink } from "../lab/rtnetlink.ts";

describe("rtnetlink", { skip: requires() }, () => {
  const rtnetlink = useRtnetlink();

  it("is told the kernel's words when a request makes no sense", async () => {
    const value = { family: AF_INET6, prefixLength: 128, flags: routeFlags.of("prefix"), destination: "::1" };
    const request = { what: "look up", type: RTM_GETROUTE, body: body(routeRequest, value) };
    await assert.rejects(
      rtnetlink.connection.get(request, () => 1),
      {
        code: "EINVAL",
        message: "cannot look up: ipv6: Invalid flags for get route request (EINVAL)",
      },
    );
  });

  it("tells of an overrun, and lives on", async (t) => {
    await rtnetlink.setUp();
    const small = openRtnetlink({ receiveBuffer: 4096 });
    t.after(() => small.close());
    let overruns = 0;
    const heard: string[] = [];
    small.onOverrun(() => overruns++);
    small.subscribe(groups.ipv4Addresses, (message) => {
      heard.push(decodeAddressEvent(message)?.address.address ?? "");
    });
    const batch = Array.from({ length: 500 }, (_, i) => `addr add 10.2.${i >> 8}.${i & 255}/32 dev v0`);
    // The event loop stands still meanwhile.
    execFileSync("ip", ["-batch", "-"], { input: batch.join("\n") });
    await waitFor("the overrun", () => overruns > 0);
    assert.ok(heard.length < 500);
    assert.ok((await dumpAddresses(small, { family: 4 })).items.length >= 500);
    await rtnetlink.here.ip("addr add 10.3.0.1/32 dev v0");
    await waitFor("a later event", () => heard.includes("10.3.0.1"));
  });

  it("runs dumps, look-ups and events at once", async (t) => {
    await rtnetlink.setUp("addr add 10.0.0.1/24 dev v0", "route add default via 10.0.0.254");
    const heard = listen(t, [groups.ipv4Addresses], decodeAddressEvent);
    const batch = Array.from({ length: 500 }, (_, i) => `addr add 10.2.${i >> 8}.${i & 255}/32 dev v0`);
    const changes = rtnetlink.here.ipBatch(batch);
    const results = await Promise.all(
      Array.from({ length: 20 }, async () => {
        const dumps = [
          dumpLinks(rtnetlink.connection),
          dumpAddresses(rtnetlink.connection),
          dumpRoutes(rtnetlink.connection),
        ];
        await Promise.all([...dumps, lookupRoute(rtnetlink.connection, { destination: "200.1.1.1" })]);
        return true;
      }),
    );
    await changes;
    assert.equal(results.length, 20);
    await heard.until(({ address }) => address.address === "10.2.1.243");
    const { items, interrupted } = await dumpAddresses(rtnetlink.connection, { family: 4 });
    assert.equal(interrupted, false);
    assert.equal(items.filter(({ address }) => address.startsWith("10.2.")).length, 500);
  });
});
