import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Address, decodeAddressEvent, dumpAddresses } from "../../src/kernel/addresses.ts";
import { groups } from "../../src/kernel/rtnetlink.ts";
import { requires } from "../../src/lab/kit/requires.ts";
import { eventually, waitFor } from "../../src/lab/kit/wait.ts";
import { ipJson, listen, objects, sorted, useRtnetlink } from "../lab/rtnetlink.ts";

describe("rtnetlink: addresses", { skip: requires() }, () => {
  const rtnetlink = useRtnetlink();

  it("are listed as ip lists them", async () => {
    await rtnetlink.setUp(
      "addr add 10.0.0.1/24 dev v0",
      "addr add 10.0.0.2/24 dev v0",
      "addr add 10.9.0.1 peer 10.9.0.2/32 dev v0",
      "addr add 10.8.0.1/24 dev v0 valid_lft 1000 preferred_lft 500",
      "addr add 169.254.1.1/16 dev v0 scope link",
      "addr add fd00::1/64 dev v0 nodad",
      "addr add fd00:7::1 peer fd00:7::2/128 dev v0 nodad noprefixroute",
      "addr add 2001:db8::1/64 dev v0 nodad preferred_lft 0",
      "addr add ::ffff:10.0.0.9/128 dev v0 nodad",
    );
    await eventually("the same list at two looks", async () => {
      const { items } = await dumpAddresses(rtnetlink.connection);
      const expected = (await ipJson(rtnetlink.here, "addr show")).flatMap((link) =>
        objects(link.get("addr_info")).map((address) => ({
          ifIndex: link.get("ifindex"),
          family: address.get("family") === "inet" ? 4 : 6,
          local: address.get("local"),
          peer: address.get("address"),
          prefixLength: address.get("prefixlen"),
          scope: scopes.get(String(address.get("scope"))),
          ...lifetimes(Number(address.get("valid_life_time")), Number(address.get("preferred_life_time"))),
          secondary: address.get("secondary") === true,
          deprecated: address.get("deprecated") === true,
          noPrefixRoute: address.get("noprefixroute") === true,
        })),
      );
      const shown = items.map((address) => ({
        ifIndex: address.ifIndex,
        family: address.family,
        local: address.address,
        peer: address.peer,
        prefixLength: address.prefixLength,
        scope: address.scope,
        ...lifetimes(address.validLifetime, address.preferredLifetime),
        secondary: address.family === 4 && address.flags.has("temporary"),
        deprecated: address.flags.has("deprecated"),
        noPrefixRoute: address.flags.has("noPrefixRoute"),
      }));
      assert.deepEqual(sorted(shown), sorted(expected));
      assert.equal(items.find(({ address }) => address === "10.9.0.1")?.peer, "10.9.0.2");
      assert.ok(items.some(({ address }) => address === "::ffff:10.0.0.9"));
    });
  });

  it("are listed by family and by interface", async () => {
    await rtnetlink.setUp(
      "addr add 10.0.0.1/24 dev v0",
      "addr add 10.0.1.1/24 dev v1",
      "addr add fd00::1/64 dev v0 nodad",
    );
    const index = await rtnetlink.here.ifIndex("v0");
    const { items } = await dumpAddresses(rtnetlink.connection, { family: 4, ifIndex: index });
    assert.deepEqual(
      items.map(({ address }) => address),
      ["10.0.0.1"],
    );
    const six = await dumpAddresses(rtnetlink.connection, { family: 6 });
    assert.ok(six.items.length > 0 && six.items.every(({ family }) => family === 6));
  });

  it("say in which order they were made", async () => {
    await rtnetlink.setUp("addr add 10.0.0.1/24 dev v0");
    const { created } = await find("10.0.0.1");
    await waitFor("the stamp to be later, it counts hundredths of seconds", async () => {
      await rtnetlink.here.ipBatch(["addr flush dev v1 scope global", "addr add 10.0.1.1/24 dev v1"]);
      return (await find("10.0.1.1")).created > created;
    });
  });

  async function find(wanted: string): Promise<Address> {
    const found = (await dumpAddresses(rtnetlink.connection)).items.find(({ address }) => address === wanted);
    assert.ok(found, wanted);
    return found;
  }

  it("notify of what comes, changes and goes", async (t) => {
    await rtnetlink.setUp();
    const heard = listen(t, [groups.ipv4Addresses, groups.ipv6Addresses], decodeAddressEvent);
    await rtnetlink.here.ipBatch(["addr add 10.0.0.1/24 dev v0", "addr add fd00::1/64 dev v0"]);
    await heard.until(({ address }) => address.address === "fd00::1" && address.flags.has("tentative"));
    await heard.until(({ address }) => address.address === "fd00::1" && !address.flags.has("tentative"));
    await rtnetlink.here.ip("addr flush dev v0");
    for (const address of ["10.0.0.1", "fd00::1"])
      await heard.until(({ change, ...event }) => change === "deleted" && event.address.address === address);
  });
});

const scopes = new Map([
  ["global", 0],
  ["link", 253],
  ["host", 254],
]);

/** Lifetimes run on between two looks. */
function lifetimes(valid: number, preferred: number) {
  const round = (seconds: number) => (seconds > 0xfffffff0 ? "for ever" : Math.ceil(seconds / 100));
  return { valid: round(valid), preferred: round(preferred) };
}
