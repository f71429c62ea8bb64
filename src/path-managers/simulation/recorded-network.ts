import { emptyNetwork, type Network } from "../../control/network/network.ts";
import { whyLinkDown } from "../../control/policy/usability.ts";

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
