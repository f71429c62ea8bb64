/** The hosts that pages of docs/ speak of, as lines of a shell in a booted system. */

/** An interface of the host, and its other end in the host "elsewhere" (a network namespace), which is its gateway. */
export type Uplink = { name: string; own: string; gateway: string; metric?: number };

/** 198.51.100.1, to be reached by whatever uplink: a server elsewhere, where an iperf3 waits for MPTCP connections. */
export const server = [
  "ip netns add elsewhere",
  "ip -n elsewhere link set lo up",
  "ip -n elsewhere address add 198.51.100.1/32 dev lo",
  "ip netns exec elsewhere /opt/mptcpd/bin/mptcpize run iperf3 --server --daemon",
];

const rate = "tbf rate 20mbit burst 16kb latency 50ms";

/** Addresses are of networks of 24 bits. A default route needs a metric. */
export function uplink({ name, own, gateway, metric }: Uplink): string[] {
  return [
    `ip link add ${name} type veth peer name ${name} netns elsewhere`,
    `ip -n elsewhere address add ${gateway}/24 dev ${name}`,
    `ip -n elsewhere link set ${name} up`,
    `ip link set ${name} up`,
    `ip address add ${own}/24 dev ${name}`,
    // Transfers as fast as the processors would leave nothing to the programs that are looked at.
    `tc qdisc add dev ${name} root ${rate} || true`,
    `tc -n elsewhere qdisc add dev ${name} root ${rate} || true`,
    ...(metric === undefined ? [] : [`ip route add default via ${gateway} dev ${name} metric ${metric}`]),
  ];
}

/** Interfaces without link-local addresses, which are other ones each time. */
export const onlyIpv4 = ["sysctl --quiet --write net.ipv6.conf.default.addr_gen_mode=1"];

export const cable = uplink({ name: "eth0", own: "203.0.113.7", gateway: "203.0.113.1", metric: 100 });
export const wifi = uplink({ name: "wlan0", own: "192.0.2.20", gateway: "192.0.2.1", metric: 600 });
