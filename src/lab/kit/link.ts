import type { Host } from "./host.ts";
import { waitFor } from "./wait.ts";

/** One end of a cable: the host, the interface's name in it, its addresses ("10.0.1.2/24", "fd00:1::2/64"). */
export type CableEnd = readonly [host: Host, device: string, ...addresses: string[]];

export type CableEnds = {
  a: CableEnd;
  /** Without it the cable ends in a socket in the wall: the interface has a carrier, and nobody answers. */
  b?: CableEnd;
  /** Bandwidth each way, in tc's words ("100mbit"). */
  rate?: string;
  /** IPv6 addresses are usable at once unless duplicate address detection is asked for. */
  dad?: boolean;
};

/**
 * A cable between two hosts. Cutting it takes the carrier from both ends, as a pulled plug does; the interfaces stay
 * up and keep their addresses.
 */
export type Cable = {
  cut(): Promise<void>;
  restore(): Promise<void>;
};

/**
 * Until the kernel has told of a new interface's carrier, which it does at its leisure (net/core/link_watch.c), and has
 * made its IPv6 addresses usable, unless those have to be looked for at other hosts first.
 */
async function waitForCarrier(host: Host, device: string, { dad }: { dad: boolean }): Promise<void> {
  await waitFor(`${device} to be up`, () => host.ip(`addr show dev ${device}`), {
    until: (text) => text.includes(" state UP ") && (dad || !text.includes(" tentative")),
  });
}

/** After a cut: the kernel may take a second to say that a carrier is gone (net/core/link_watch.c). */
export async function waitForCarrierLoss(host: Host, device: string): Promise<void> {
  await waitFor(`${device} to lose its carrier`, async () =>
    (await host.ip(`link show dev ${device}`)).includes("state DOWN"),
  );
}

/**
 * Cables are made of two veth pairs that meet at a bridge in a namespace of their own: a veth loses its carrier when
 * its peer goes down, so the peers are kept where no test looks at them.
 */
export class CableRoom {
  readonly #room: Host;
  #count = 0;

  constructor(room: Host) {
    this.#room = room;
  }

  async connect({ a, b, rate, dad = false }: CableEnds): Promise<Cable> {
    const cable = ++this.#count;
    const ends = b ? [a, b] : [a];
    const plugs = ends.map((_, index) => `plug${cable}.${index}`);
    await this.#room.ipBatch([
      ...ends.map(
        ([host, device], index) =>
          `link add ${plugs[index]} type veth peer name ${device} netns ${host.namespace}`,
      ),
      ...(b ? bridge(`cable${cable}`, plugs) : []),
      ...plugs.map((plug) => `link set ${plug} up`),
    ]);
    await Promise.all(ends.map((end) => configure(end, dad, rate)));
    await Promise.all([
      ...ends.map(([host, device]) => waitForCarrier(host, device, { dad })),
      // A bridge forwards nothing from a port whose carrier it was not told of yet.
      ...plugs.map((plug) => waitForCarrier(this.#room, plug, { dad: true })),
    ]);
    const setPlugs = async (state: string) => {
      await this.#room.ipBatch(plugs.map((plug) => `link set ${plug} ${state}`));
    };
    return { cut: () => setPlugs("down"), restore: () => setPlugs("up") };
  }
}

/** No spanning tree, no snooping: a port forwards from the moment it is up. */
function bridge(name: string, ports: readonly string[]): string[] {
  return [
    `link add ${name} type bridge stp_state 0 forward_delay 0 mcast_snooping 0`,
    `link set ${name} up`,
    ...ports.map((port) => `link set ${port} master ${name}`),
  ];
}

async function configure(
  [host, device, ...addresses]: CableEnd,
  dad: boolean,
  rate: string | undefined,
): Promise<void> {
  // accept_dad rather than the flag nodad, so that link-local addresses are usable at once too.
  if (!dad) await host.sysctl(`net/ipv6/conf/${device}/accept_dad`, 0);
  await host.ipBatch([
    `link set ${device} up`,
    ...addresses.map((address) => `addr add ${address} dev ${device}`),
  ]);
  // No qdisc rate in iproute2's ip: tbf holds 50 ms of queue, enough to fill a path and little enough to stay lively.
  if (rate !== undefined) {
    await host.run(
      "tc",
      "qdisc",
      "add",
      "dev",
      device,
      "root",
      "tbf",
      "rate",
      rate,
      ..."burst 32k latency 50ms".split(" "),
    );
  }
}
