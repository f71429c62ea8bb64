import { placeOf } from "../../control/network/network.ts";
import type { LocalAddress, NetworkInterface, NetworkView } from "./network-view.ts";

/** What is different in a network, in an order in which it can be followed: an interface is there while its addresses are. */
export type NetworkChange =
  | { readonly type: "newInterface" | "deleteInterface"; readonly interface: NetworkInterface }
  | {
      readonly type: "updateInterface";
      readonly interface: NetworkInterface;
      readonly before: NetworkInterface;
    }
  | {
      readonly type: "newLocalAddress" | "deleteLocalAddress";
      readonly address: LocalAddress;
      readonly interface: NetworkInterface;
    };

export const emptyView: NetworkView = {
  ...{ interfaces: [], uplinks: [], addresses: [], defaultRoutes: [] },
  assigned: new Set(),
};

export function compareNetworks(before: NetworkView, after: NetworkView): NetworkChange[] {
  if (before === after) return [];
  const old = new Map(before.interfaces.map((one) => [one.index, one]));
  const now = new Map(after.interfaces.map((one) => [one.index, one]));
  return [
    ...missing(before.interfaces, now).map((change) => ({ type: "deleteLocalAddress", ...change }) as const),
    ...before.interfaces
      .filter(({ index }) => !now.has(index))
      .map((one) => ({ type: "deleteInterface", interface: one }) as const),
    ...after.interfaces.flatMap((one): NetworkChange[] => {
      const former = old.get(one.index);
      if (former === undefined) return [{ type: "newInterface", interface: one }];
      return isSame(former, one) ? [] : [{ type: "updateInterface", interface: one, before: former }];
    }),
    ...missing(after.interfaces, old).map((change) => ({ type: "newLocalAddress", ...change }) as const),
  ];
}

/** The addresses of interfaces that are not among those of others. */
function missing(
  interfaces: readonly NetworkInterface[],
  others: ReadonlyMap<number, NetworkInterface>,
): { address: LocalAddress; interface: NetworkInterface }[] {
  const known = new Set([...others.values()].flatMap(({ addresses }) => addresses.map(placeOf)));
  return interfaces.flatMap((one) =>
    one.addresses
      .filter((address) => !known.has(placeOf(address)))
      .map((address) => ({ address, interface: one })),
  );
}

/** Addresses have changes of their own. */
function isSame(a: NetworkInterface, b: NetworkInterface): boolean {
  return (
    a.name === b.name &&
    a.kind === b.kind &&
    a.flags.equals(b.flags) &&
    a.hasDefaultRoute === b.hasDefaultRoute
  );
}
