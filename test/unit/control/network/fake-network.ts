import { addressFlags } from "../../../../src/kernel/addresses.ts";
import { linkFlags } from "../../../../src/kernel/links.ts";
import { addressMessage, linkMessage, routeMessage } from "../../../../src/kernel/messages/rtnetlink.ts";
import type { NetlinkMessage } from "../../../../src/kernel/netlink/wire.ts";
import {
  groups,
  RTM_DELADDR,
  RTM_DELLINK,
  RTM_GETADDR,
  RTM_GETLINK,
  RTM_GETROUTE,
  RTM_NEWADDR,
  RTM_NEWLINK,
  RTM_NEWROUTE,
} from "../../../../src/kernel/rtnetlink.ts";
import { ack, FakeKernel, isDump, multipart, type Reply, refuse } from "../../../lab/fake-kernel.ts";

const AF_INET = 2;
const ENETUNREACH = 101;
const RTN_UNICAST = 1;
const RT_TABLE_MAIN = 254;

export type FakeLink = { readonly index: number; readonly name: string; readonly up: boolean };

/** A kernel whose rtnetlink has links, IPv4 addresses and one IPv4 default route. Changes are announced, or lost. */
export class FakeNetwork {
  readonly kernel = new FakeKernel((request) => this.#answer(request));
  readonly links = new Map<number, FakeLink>();
  /** Interface index by address. */
  readonly addresses = new Map<string, number>();
  /** The interface of the default route; 0: there is none. */
  gateway = 0;
  /** Whether notifications get lost. */
  deaf = false;
  /** Dumps that are still to be marked as interrupted. */
  interruptions = 0;
  /** Called at each dump of addresses, before it is answered. */
  onAddressDump: () => void = () => undefined;

  setLink(link: FakeLink): void {
    this.links.set(link.index, link);
    // A link that goes down takes its default route along, without a word.
    if (!link.up && this.gateway === link.index) this.gateway = 0;
    this.#notify(groups.links, linkReply(link, RTM_NEWLINK));
  }

  deleteLink(index: number): void {
    const link = this.links.get(index);
    if (!link) return;
    for (const [address, ifIndex] of [...this.addresses]) if (ifIndex === index) this.deleteAddress(address);
    this.links.delete(index);
    if (this.gateway === index) this.gateway = 0;
    this.#notify(groups.links, linkReply(link, RTM_DELLINK));
  }

  addAddress(address: string, ifIndex: number): void {
    if (!this.links.has(ifIndex) || this.addresses.has(address)) return;
    this.addresses.set(address, ifIndex);
    this.#notify(groups.ipv4Addresses, addressReply(address, ifIndex, RTM_NEWADDR));
  }

  deleteAddress(address: string): void {
    const ifIndex = this.addresses.get(address);
    if (ifIndex === undefined) return;
    this.addresses.delete(address);
    this.#notify(groups.ipv4Addresses, addressReply(address, ifIndex, RTM_DELADDR));
  }

  setGateway(ifIndex: number): void {
    this.gateway = ifIndex;
    this.#notify(groups.ipv4Routes, routeReply(ifIndex));
  }

  #notify(group: number, reply: Reply): void {
    if (!this.deaf) this.kernel.notify(group, reply);
  }

  #answer(request: NetlinkMessage): readonly Reply[] {
    if (request.type === RTM_GETROUTE && !isDump(request)) return this.#lookup(request);
    const end = { interrupted: this.interruptions-- > 0 };
    if (request.type === RTM_GETLINK)
      return multipart(
        [...this.links.values()].map((link) => linkReply(link, RTM_NEWLINK)),
        end,
      );
    if (request.type === RTM_GETADDR) {
      this.onAddressDump();
      const addresses = [...this.addresses];
      return multipart(
        addresses.map(([address, ifIndex]) => addressReply(address, ifIndex, RTM_NEWADDR)),
        end,
      );
    }
    const family = request.input.view.getUint8(request.start);
    return multipart(family === AF_INET && this.gateway !== 0 ? [routeReply(this.gateway)] : []);
  }

  #lookup(request: NetlinkMessage): readonly Reply[] {
    const family = request.input.view.getUint8(request.start);
    if (family !== AF_INET || this.gateway === 0) return [refuse(request, ENETUNREACH)];
    return [routeReply(this.gateway), ack(request)];
  }
}

function linkReply({ index, name, up }: FakeLink, type: number): Reply {
  const flags = up ? linkFlags.of("up", "running") : linkFlags.of();
  return { type, payload: linkMessage.encode({ type: 1, index, flags, name, operState: up ? 6 : 2 }) };
}

function addressReply(address: string, ifIndex: number, type: number): Reply {
  const flags = addressFlags.of("permanent");
  const value = { family: AF_INET, prefixLength: 24, ifIndex, address, local: address, flags };
  return { type, payload: addressMessage.encode(value) };
}

function routeReply(ifIndex: number): Reply {
  const payload = routeMessage.encode({ family: AF_INET, type: RTN_UNICAST, table: RT_TABLE_MAIN, ifIndex });
  return { type: RTM_NEWROUTE, payload };
}
