import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Closer } from "../../src/lab/kit/lab.ts";
import { requires } from "../../src/lab/kit/requires.ts";
import { atOnce, Machine } from "../lab/machine.ts";
import { ctl } from "../lab/mptcpctl.ts";
import { openTunnel, tunnelNeeds } from "../lab/tunnel.ts";

const uplink = "10.0.1.2";

describe("interfaces that lead to guests", { skip: requires(), concurrency: 4 }, () => {
  it("are bridges whose ports are the host's ends of containers, and explain says so", async (t) => {
    const machine = await hostOfGuests(t);
    await machine.hasEndpointsAt([uplink]);
    await machine.settled();
    assert.match(
      await explain(machine, "lxdbr0"),
      /^10\.77\.0\.1 +lxdbr0 +- +unusable +leads to guests of this host: bridge of g0, no default route$/m,
    );
    await machine.nothingHappens(() => addGuest(machine, "g1"));
  });

  it("are not the bridge that the host's default route leaves by, for as long as it does", async (t) => {
    const machine = await hostOfGuests(t);
    await machine.ip("route add default via 10.77.0.9 dev lxdbr0 metric 9");
    await machine.hasEndpointsAt([uplink, "10.77.0.1"]);
    await machine.ip("route del default dev lxdbr0");
    await machine.hasEndpointsAt([uplink]);
    await machine.ip("-6 route add default via fe80::9 dev lxdbr0");
    await machine.hasEndpointsAt([uplink, "10.77.0.1"]);
  });

  it("are decided by a [path] section that names them or their kind, and by no other", async (t) => {
    const machine = await hostOfGuests(t);
    for (const [section, expected] of [
      ["match-interface=lxd*", [uplink, "10.77.0.1"]],
      ["match-kind=bridge", [uplink, "10.77.0.1"]],
      ["match-address=10.0.0.0/8", [uplink]],
      ["priority=3", [uplink]],
    ] as const) {
      await machine.reload(`${atOnce}[path mine]\n${section}\n`);
      await machine.hasEndpointsAt(expected);
    }
  });

  it("are veths with both ends on this host, unless one is plugged into a bridge that leads out", async (t) => {
    const machine = await hostOfGuests(t);
    await machine.nothingHappens(() =>
      machine.host.ipBatch([
        "link add in0 type veth peer name out0",
        "link set in0 up",
        "link set out0 up",
        "addr add 10.78.0.1/24 dev in0",
      ]),
    );
    await machine.host.ipBatch([
      "link add br-lan type bridge",
      "link set br-lan up",
      "link set out0 master br-lan",
      "route add default via 10.78.0.9 metric 9",
    ]);
    await machine.hasEndpointsAt([uplink, "10.78.0.1"]);
  });

  it("are not veths that become an uplink when their other end moves to another namespace", async (t) => {
    const machine = await hostOfGuests(t);
    const other = await machine.lab.host("other");
    await machine.host.ipBatch([
      "link add up1 type veth peer name p1",
      "link set up1 up",
      "link set p1 up",
      "addr add 10.75.0.2/24 dev up1",
    ]);
    await machine.settled();
    await machine.hasEndpointsAt([uplink]);
    assert.match(await explain(machine, "up1"), /its other end p1 is on this host/);
    await machine.ip(`link set p1 netns ${other.namespace}`);
    await other.ip("link set p1 up");
    await machine.hasEndpointsAt([uplink, "10.75.0.2"]);
  });

  it("are TAP devices of virtual machines, and not those of VPNs", {
    skip: requires(tunnelNeeds),
  }, async (t) => {
    const machine = await Machine.started(t);
    await openTunnel(machine.host, "tap0", { mode: "tap", addresses: ["10.79.0.1/24"] });
    await openTunnel(machine.host, "tap1", { mode: "vm", addresses: ["10.79.1.1/24"] });
    await machine.hasEndpointsAt(["10.79.0.1"]);
    await machine.settled();
    assert.match(await explain(machine, "tap1"), /TAP device of a virtual machine/);
  });

  it("are told by their names, where no default route tells and the file has no [path] section", async (t) => {
    const machine = await hostOfGuests(t);
    await machine.ip("route del default");
    await machine.hasEndpointsAt([uplink]);
    await machine.settled();
    assert.match(await explain(machine, "lxdbr0"), /ignored by \[path containers\] \(built in\)/);
    await machine.host.ipBatch(["link set lxdbr0 down", "link set lxdbr0 name br0", "link set br0 up"]);
    await machine.hasEndpointsAt([uplink, "10.77.0.1"]);
  });

  for (const kind of ["vxlan id 7 dstport 4789", "geneve id 7 remote 10.0.1.1"])
    it(`are overlays: ${kind.split(" ")[0]}`, { skip: requires({ links: [kind] }) }, async (t) => {
      const machine = await hostOfGuests(t);
      await machine.hasEndpointsAt([uplink]);
      await machine.nothingHappens(() =>
        machine.host.ipBatch([
          `link add flan1 type ${kind}`,
          "link set flan1 up",
          "addr add 10.244.1.0/32 dev flan1",
        ]),
      );
    });
});

describe("interfaces on top of others", { skip: requires(), concurrency: 4 }, () => {
  for (const kind of ["vlan id 5", "macvlan mode bridge", "ipvlan mode l2"]) {
    const name = kind.split(" ")[0] ?? kind;
    it(`${name}: lead where the lower one leads`, { skip: requires({ uppers: [kind] }) }, async (t) => {
      const machine = await hostOfGuests(t);
      for (const [lower, upper, address] of [
        ["eth0", "up0", "10.80.0.1"],
        ["lxdbr0", "up1", "10.80.1.1"],
      ])
        await machine.host.ipBatch([
          `link add link ${lower} name ${upper} type ${kind}`,
          `link set ${upper} up`,
          `addr add ${address}/24 dev ${upper}`,
        ]);
      await machine.hasEndpointsAt([uplink, "10.80.0.1"]);
      await machine.settled();
      assert.match(await explain(machine, "up1"), /on lxdbr0, which leads to guests/);
    });
  }
});

/** An uplink with the default route, and a bridge with one container behind it, as LXD and Docker make them. */
async function hostOfGuests(t: Closer): Promise<Machine> {
  const machine = await Machine.create(t, { eth0: [`${uplink}/24`] });
  await machine.host.ipBatch([
    "route add default via 10.0.1.1",
    "link add lxdbr0 type bridge",
    "link set lxdbr0 up",
    "addr add 10.77.0.1/24 dev lxdbr0",
  ]);
  await addGuest(machine, "g0");
  await machine.start({ config: atOnce });
  return machine;
}

async function addGuest(machine: Machine, port: string): Promise<void> {
  const guest = await machine.lab.host(`guest-${port}`);
  await machine.ip(`link add ${port} type veth peer name eth0 netns ${guest.namespace}`);
  await guest.ip("link set eth0 up");
  await machine.host.ipBatch([`link set ${port} master lxdbr0`, `link set ${port} up`]);
}

function explain({ host, daemon, runtimeDirectory }: Machine, device: string): Promise<string> {
  return ctl(host, `explain ${device} --config ${daemon.configFile} --runtime-dir ${runtimeDirectory}`);
}
