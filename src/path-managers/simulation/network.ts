import { emptyNetwork, type Family, type Network } from "../../control/network/network.ts";
import { whyLinkDown } from "../../control/policy/address-state.ts";
import { addressFlags } from "../../kernel/addresses.ts";
import { type Link, linkFlags } from "../../kernel/links.ts";
import { canonicalIp, ipFamily } from "../../kernel/netlink/ip.ts";

/** An interface in a few words. */
export interface SimulatedInterface {
  /** Such as "10.0.1.2" or "fd00:1::2". */
  readonly addresses?: readonly string[];
  /** As `ip -d link` has it: "wireguard", "vlan"; "physical" if not given. */
  readonly kind?: string;
  /** Whether anything can be reached by it; yes if not given. */
  readonly defaultRoute?: boolean;
}

interface State {
  readonly index: number;
  readonly kind: string | undefined;
  defaultRoute: boolean;
  readonly addresses: Set<string>;
  carrier: boolean;
}

/** The links, addresses and routes of a simulated host. */
export class SimulatedNetwork {
  readonly #interfaces = new Map<string, State>();
  #created = 0;
  #lastIndex = 1;
  #snapshot: Network | undefined;

  get network(): Network {
    this.#snapshot ??= this.#build();
    return this.#snapshot;
  }

  plug(name: string, { addresses = [], kind, defaultRoute = true }: SimulatedInterface): void {
    if (this.#interfaces.has(name)) throw new Error(`the simulated host has an interface ${name} already`);
    const index = ++this.#lastIndex;
    this.#interfaces.set(name, {
      index,
      kind,
      defaultRoute,
      addresses: new Set(addresses.map(checked)),
      carrier: true,
    });
    this.#snapshot = undefined;
  }

  unplug(name: string): void {
    this.#of(name);
    this.#interfaces.delete(name);
    this.#snapshot = undefined;
  }

  setCarrier(name: string, carrier: boolean): void {
    this.#of(name).carrier = carrier;
    this.#snapshot = undefined;
  }

  setDefaultRoute(name: string, defaultRoute: boolean): void {
    this.#of(name).defaultRoute = defaultRoute;
    this.#snapshot = undefined;
  }

  addAddress(name: string, address: string): void {
    this.#of(name).addresses.add(checked(address));
    this.#snapshot = undefined;
  }

  removeAddress(name: string, address: string): void {
    if (!this.#of(name).addresses.delete(checked(address)))
      throw new Error(`the simulated interface ${name} has no address ${address}`);
    this.#snapshot = undefined;
  }

  /** Whether the host has an address, and whether packets from it can leave. */
  stateOf(address: string): "open" | "cut" | "missing" {
    for (const { addresses, carrier } of this.#interfaces.values())
      if (addresses.has(address)) return carrier ? "open" : "cut";
    return "missing";
  }

  #of(name: string): State {
    const found = this.#interfaces.get(name);
    if (found === undefined) throw new Error(`the simulated host has no interface ${name}`);
    return found;
  }

  #build(): Network {
    const entries = [...this.#interfaces];
    const open = entries.filter(([, { carrier, defaultRoute }]) => carrier && defaultRoute);
    const families: readonly Family[] = [4, 6];
    return {
      links: new Map(entries.map(([name, state]) => [state.index, linkOf(name, state)])),
      addresses: entries.flatMap(([, { index, addresses }]) =>
        Array.from(addresses, (address) => ({
          ...{ ifIndex: index, address, family: ipFamily(address), scope: 0, flags: addressFlags.of() },
          ...{ prefixLength: ipFamily(address) === 4 ? 24 : 64, created: this.#created++ },
          validLifetime: Number.POSITIVE_INFINITY,
          preferredLifetime: Number.POSITIVE_INFINITY,
        })),
      ),
      defaultRoutes: open.flatMap(([, { index }], position) =>
        families.map((family) => ({
          ...{ family, destination: undefined, prefixLength: 0, table: 254, type: 1, scope: 0, protocol: 3 },
          ...{ metric: position, hops: [{ ifIndex: index, weight: 1 }] },
        })),
      ),
      egress: open
        .slice(0, 1)
        .flatMap(([, { index }]) => families.map((family) => ({ family, ifIndex: index }))),
      formerNames: new Map(),
    };
  }
}

/** The one text of an address of a scene. */
export function checked(text: string): string {
  const address = canonicalIp(text);
  if (address === undefined) throw new Error(`"${text}" is no IP address, such as 10.0.1.2 or fd00:1::2`);
  return address;
}

function linkOf(name: string, { index, kind, carrier }: State): Link {
  return {
    ...{ index, name, altNames: [], type: 1, master: 0, carrierUpCount: 1 },
    operState: carrier ? "up" : "down",
    flags: carrier ? linkFlags.of("up", "running", "lowerUp") : linkFlags.of("up"),
    ...(kind !== undefined && { kind }),
  };
}

/** The network as it was when a recording was made, from one moment to the next. */
export class RecordedNetwork {
  network: Network = emptyNetwork;

  /** Whether the host has an address, and whether packets from it can leave. */
  stateOf(address: string): "open" | "cut" | "missing" {
    const owners = this.network.addresses.filter((one) => one.address === address);
    if (owners.length === 0) return "missing";
    const links = owners.map(({ ifIndex }) => this.network.links.get(ifIndex));
    return links.some((link) => link !== undefined && whyLinkDown(link) === undefined) ? "open" : "cut";
  }
}
