/** Connections and networks as JSON has them: for programs that are path managers, and for people who look. */
import {
  type Connection,
  type SocketAddress,
  type Subflow,
  tokenText,
} from "../../control/connections/connection.ts";
import type { Endpoint } from "../../kernel/mptcp-pm.ts";
import type { Details, HandlerName } from "./api.ts";
import type { LocalAddress, NetworkInterface, NetworkView } from "./network-view.ts";

export function connectionJson(connection: Connection) {
  const { token, state, local, remote, serverSide, denyJoinId0, families, pathManager } = connection;
  const { subflows, announced, announcedIsComplete } = connection;
  return {
    token: tokenText(token),
    ...{ state, local, remote, serverSide, denyJoinId0, families, pathManager },
    subflows: subflows.map(subflowJson),
    announced,
    announcedIsComplete,
  };
}

export function subflowJson(subflow: Subflow) {
  const { local, remote, localId, remoteId, state, initial, ifIndex, localBackup, remoteBackup } = subflow;
  return { local, remote, localId, remoteId, state, initial, ifIndex, localBackup, remoteBackup };
}

export function networkJson({ interfaces, uplinks }: NetworkView) {
  return { interfaces: interfaces.map(interfaceJson), uplinks: uplinks.map(({ name }) => name) };
}

function interfaceJson(one: NetworkInterface) {
  const { index, name, kind, flags, hasDefaultRoute, addresses } = one;
  return {
    index,
    name,
    kind,
    flags: flags.names,
    hasDefaultRoute,
    addresses: addresses.map(localAddressJson),
  };
}

function localAddressJson(given: LocalAddress) {
  const { address, family, ifIndex, interface: name, flags, port, priority } = given;
  return { address, family, ifIndex, interface: name, flags: flags.names, port, priority };
}

export function endpointJson({ id, address, port, flags, ifIndex }: Endpoint) {
  return { id, address, port, flags: flags.names, ifIndex };
}

/** What handlers are told, by name. */
export function detailsJson<Name extends HandlerName>(event: Name, details: Details<Name>): object {
  const table: DetailsTable = detailsTable;
  return table[event](...details);
}

type DetailsTable = { readonly [Name in HandlerName]: (...details: Details<Name>) => object };

const ofConnection = (connection: Connection) => ({ connection: connectionJson(connection) });
const ofAddress = (connection: Connection, address: object) => ({ ...ofConnection(connection), address });
const ofSubflow = (connection: Connection, subflow: Subflow) => ({
  ...ofConnection(connection),
  subflow: subflowJson(subflow),
});
const ofListener = (listener: SocketAddress) => ({ listener });
const ofInterface = (one: NetworkInterface) => ({ interface: interfaceJson(one) });
const ofLocalAddress = (address: LocalAddress, one: NetworkInterface) => ({
  address: localAddressJson(address),
  ...ofInterface(one),
});

const detailsTable: DetailsTable = {
  newConnection: ofConnection,
  connectionEstablished: ofConnection,
  connectionClosed: ofConnection,
  newAddress: ofAddress,
  addressRemoved: ofAddress,
  newSubflow: ofSubflow,
  subflowClosed: (connection, subflow, reason) => ({ ...ofSubflow(connection, subflow), reason }),
  subflowPriority: ofSubflow,
  listenerCreated: ofListener,
  listenerClosed: ofListener,
  newInterface: ofInterface,
  updateInterface: (one, before) => ({ ...ofInterface(one), before: interfaceJson(before) }),
  deleteInterface: ofInterface,
  newLocalAddress: ofLocalAddress,
  deleteLocalAddress: ofLocalAddress,
};
