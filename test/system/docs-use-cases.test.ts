import assert from "node:assert/strict";
import { copyFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { Page, type Section } from "../lab/document.ts";
import { networkManager, networkManagerProblem } from "../lab/downloads.ts";
import { Shown } from "../lab/shown.ts";
import { SystemdLab, systemdProblem } from "../lab/systemd.ts";
import { follow } from "./docs.ts";
import { installed } from "./installed.ts";
import { cable, onlyIpv4, server, uplink, wifi } from "./surroundings.ts";

const page = Page.read("docs/use-cases.md");

/** By the title of their section: what makes the host, and why it cannot be made here. */
const hosts: Readonly<
  Record<string, { make: (lab: SystemdLab) => Promise<unknown>; skip?: string | false }>
> = {
  "Laptop with Wi-Fi and a modem": {
    make: (lab) =>
      shell(
        lab,
        ...[...server, ...wifi],
        ...uplink({ name: "wwan0", own: "203.0.113.7", gateway: "203.0.113.1", metric: 700 }),
      ),
  },
  "Server that announces its addresses": { make: (lab) => shell(lab, ...clientElsewhere) },
  "Host with containers": {
    make: (lab) => shell(lab, ...onlyIpv4, "ip netns add elsewhere", ...cable, ...bridges),
  },
  "Several network namespaces": {
    make: (lab) => shell(lab, ...onlyIpv4, "ip netns add elsewhere", ...cable, ...blue),
  },
  "Beside NetworkManager": {
    make: async (lab) => {
      await shell(lab, ...onlyIpv4, "ip netns add elsewhere", ...cable, ...wifi);
      await startNetworkManager(lab);
    },
    skip: networkManagerProblem,
  },
};

const clientElsewhere = [
  "ip netns add elsewhere",
  ...uplink({ name: "eth0", own: "203.0.113.1", gateway: "203.0.113.7" }),
  ...uplink({ name: "eth1", own: "192.0.2.1", gateway: "192.0.2.20" }),
  ...uplink({ name: "eth2", own: "10.9.0.1", gateway: "10.9.0.20" }),
  "ip -n elsewhere mptcp limits set add_addr_accepted 2 subflows 2",
];

const bridges = [
  ...["br-lan 192.0.2.20/24", "docker0 172.17.0.1/16", "br-5ca40b7b39b7 172.18.0.1/16"].flatMap(
    (bridge, index) => {
      const [name, address] = bridge.split(" ");
      return [
        `ip link add ${name} type bridge`,
        `ip link set ${name} up`,
        `ip address add ${address} dev ${name}`,
        `ip netns add inside${index}`,
        `ip link add veth${index} type veth peer name eth0 netns inside${index}`,
        `ip link set veth${index} master ${name} up`,
        `ip -n inside${index} link set eth0 up`,
      ];
    },
  ),
];

const blue = [
  "ip netns add blue",
  "ip -n blue link set lo up",
  "ip netns exec blue sysctl --quiet --write net.ipv6.conf.default.addr_gen_mode=1",
  ...[1, 2].flatMap((network) => [
    `ip -n blue link add eth${network - 1} type veth peer name blue${network} netns elsewhere`,
    `ip -n elsewhere link set blue${network} up`,
    `ip -n blue link set eth${network - 1} up`,
    `ip -n blue address add 10.${network}.0.2/24 dev eth${network - 1}`,
  ]),
];

describe("docs/use-cases.md", {
  skip: await systemdProblem(["iperf3"]),
  concurrency: 2,
}, () => {
  const cases = page.sections.filter(({ blocks }) => blocks.length > 0);

  it("has a host for each case", () =>
    assert.deepEqual(
      cases.map(({ title }) => title),
      Object.keys(hosts),
    ));

  for (const section of cases) {
    const { make, skip = false } = hosts[section.title] ?? { make: async () => {} };
    it(`promises what happens: ${section.title}`, { skip }, async (t) => {
      const lab = await SystemdLab.boot(t);
      await make(lab);
      await installed(lab);
      await configurationsAreValid(lab, section);
      const following = follow(lab, page, section, new Shown());
      if (section.title.startsWith("Server")) await connectFromElsewhere(lab);
      await following;
    });
  }
});

async function configurationsAreValid(lab: SystemdLab, section: Section): Promise<void> {
  for (const { file, text } of section.blocks.filter((block) => block.file.endsWith("/mptcpd/mptcpd.conf"))) {
    const check = `cat >/root/checked.conf && /usr/libexec/mptcpd --check --config /root/checked.conf 2>&1`;
    const said = await lab.run("bash", "-ec", `printf '%s\\n' "$1" | ${check}`, "check", text);
    assert.equal(said, "the configuration is valid\n", file);
  }
}

/** A client that tries until the server of the page listens. */
async function connectFromElsewhere(lab: SystemdLab): Promise<void> {
  const client = "ip netns exec elsewhere mptcpize run iperf3 -c 203.0.113.1 -t 600";
  await shell(lab, `(until ${client}; do sleep 0.1; done) >/dev/null 2>&1 &`);
}

async function startNetworkManager(lab: SystemdLab): Promise<void> {
  // Without udev, which has nothing to do here.
  const packages = readdirSync(networkManager).filter((name) => /^(?!udev_).*\.deb$/.test(name));
  for (const name of packages) {
    copyFileSync(join(networkManager, name), lab.path("/root/unpacked.deb"));
    // /lib is a link, and stays one.
    await shell(lab, "dpkg-deb --fsys-tarfile /root/unpacked.deb | tar -x --keep-directory-symlink -C /");
  }
  const profile = (name: string, device: string, address: string, gateway: string) =>
    `nmcli connection add type ethernet con-name ${name} ifname ${device} ipv6.method disabled ` +
    `ipv4.method manual ipv4.addresses ${address}/24 ipv4.gateway ${gateway}`;
  await shell(
    lab,
    "systemctl daemon-reload",
    "systemctl start dbus.service NetworkManager.service",
    profile("cable", "eth0", "203.0.113.7", "203.0.113.1"),
    profile("wifi", "wlan0", "192.0.2.20", "192.0.2.1"),
    "nmcli connection up cable",
    "nmcli connection up wifi",
  );
}

function shell(lab: SystemdLab, ...lines: readonly string[]): Promise<string> {
  return lab.run("bash", "-ec", lines.join("\n"));
}
