import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseCounters } from "../../../../src/kernel/counters.ts";
import type { Route } from "../../../../src/kernel/routes.ts";
import type { Rule } from "../../../../src/kernel/rules.ts";
import { routeLine, ruleLine } from "../../../../src/programs/report/routing-format.ts";

const route: Route = {
  family: 4,
  destination: undefined,
  prefixLength: 0,
  table: 254,
  type: 1,
  scope: 0,
  protocol: 16,
  metric: 100,
  hops: [{ ifIndex: 2, gateway: "10.0.1.1", weight: 1 }],
};
const rule: Rule = {
  family: 4,
  priority: 1000,
  sourcePrefixLength: 0,
  destinationPrefixLength: 0,
  action: 1,
  table: 254,
};

describe("routes in a report", () => {
  const line = (changes: Partial<Route>) => routeLine({ ...route, ...changes }, (index) => `eth${index}`);

  it("read as those of ip-route(8)", () => {
    assert.equal(line({}), "default via 10.0.1.1 dev eth2 proto dhcp metric 100");
    assert.equal(line({ family: 6, metric: 0 }), "default (IPv6) via 10.0.1.1 dev eth2 proto dhcp");
    const network = { destination: "10.0.1.0", prefixLength: 24, hops: [{ ifIndex: 1, weight: 1 }] };
    assert.equal(
      line({ ...network, source: "10.0.1.2", table: 7, protocol: 99 }),
      "10.0.1.0/24 dev eth1 src 10.0.1.2 table 7 proto 99 metric 100",
    );
    assert.equal(line({ ...network, type: 7, hops: [] }), "unreachable 10.0.1.0/24 proto dhcp metric 100");
    const hops = [1, 2].map((ifIndex) => ({ ifIndex, weight: ifIndex }));
    assert.equal(
      line({ hops }),
      "default nexthop dev eth1 weight 1 nexthop dev eth2 weight 2 proto dhcp metric 100",
    );
  });
});

describe("rules in a report", () => {
  const line = (changes: Partial<Rule>) => ruleLine({ ...rule, ...changes });

  it("read as those of ip-rule(8)", () => {
    assert.equal(line({}), "1000: from all lookup main");
    assert.equal(
      line({ source: "10.0.1.2", sourcePrefixLength: 32, table: 100 }),
      "1000: from 10.0.1.2/32 lookup 100",
    );
    assert.equal(
      line({ mark: 0xca6c, markMask: 0xffff, outgoing: "wg0", suppressPrefixLength: 0 }),
      "1000: from all fwmark 0xca6c/0xffff oif wg0 lookup main suppress_prefixlength 0",
    );
    assert.equal(
      line({ family: 6, destination: "fd00::", destinationPrefixLength: 8, action: 8 }),
      "1000: (IPv6) from all to fd00::/8 prohibit",
    );
    assert.equal(line({ action: 2, goto: 5000, incoming: "eth0" }), "1000: from all iif eth0 goto 5000");
  });
});

describe("the kernel's counters", () => {
  it("are read by group and name, exact whatever their size", () => {
    const counters = parseCounters(
      "TcpExt: SyncookiesSent Big\nTcpExt: 0 18446744073709551615\nMPTcpExt: MPCapableSYNRX\nMPTcpExt: 3\n",
    );
    assert.deepEqual(
      counters.get("TcpExt"),
      new Map([
        ["SyncookiesSent", 0n],
        ["Big", 18446744073709551615n],
      ]),
    );
    assert.deepEqual(counters.get("MPTcpExt"), new Map([["MPCapableSYNRX", 3n]]));
    assert.equal(parseCounters("Tcp: MaxConn\nTcp: -1\n").get("Tcp")?.get("MaxConn"), -1n);
    assert.deepEqual(parseCounters(""), new Map());
  });
});
