/** Which handler hears of a change, and what it is told. */
import type { Connection, ConnectionChange } from "../../control/connections/connection.ts";
import type { Details, HandlerName, Handlers } from "./api.ts";
import type { NetworkChange } from "./network-view.ts";

/** Hears of everything by its name. */
export interface Listener {
  tell<Name extends HandlerName>(event: Name, ...details: Details<Name>): void;
}

export function tellNetwork(listener: Listener, change: NetworkChange): void {
  switch (change.type) {
    case "updateInterface":
      listener.tell(change.type, change.interface, change.before);
      break;
    case "newLocalAddress":
    case "deleteLocalAddress":
      listener.tell(change.type, change.address, change.interface);
      break;
    default:
      listener.tell(change.type, change.interface);
  }
}

export function tellConnection(listener: Listener, change: ConnectionChange): void {
  const { connection } = change;
  switch (change.type) {
    case "newAddress":
      listener.tell(change.type, connection, change.address);
      break;
    case "addressRemoved":
      listener.tell(change.type, connection, change.address);
      break;
    case "newSubflow":
    case "subflowPriority":
      listener.tell(change.type, connection, change.subflow);
      break;
    case "subflowClosed":
      listener.tell(change.type, connection, change.subflow, change.reason);
      break;
    default:
      listener.tell(change.type, connection);
  }
}

/** What has happened to a connection so far, as far as it still matters: for those who take it over. */
export function historyOf(connection: Connection): ConnectionChange[] {
  const history: ConnectionChange[] = [{ type: "newConnection", connection }];
  if (connection.state === "established") history.push({ type: "connectionEstablished", connection });
  for (const address of connection.announced) history.push({ type: "newAddress", connection, address });
  for (const subflow of connection.subflows)
    if (subflow.state === "established" && !subflow.initial)
      history.push({ type: "newSubflow", connection, subflow });
  return history;
}

export const handlerNames: readonly HandlerName[] = [
  "newConnection",
  "connectionEstablished",
  "connectionClosed",
  "newAddress",
  "addressRemoved",
  "newSubflow",
  "subflowClosed",
  "subflowPriority",
  "listenerCreated",
  "listenerClosed",
  "newInterface",
  "updateInterface",
  "deleteInterface",
  "newLocalAddress",
  "deleteLocalAddress",
];

/** Handlers that pass everything on to a listener. */
export function handlersOf(listener: Listener): Handlers {
  return {
    newConnection: (...details) => listener.tell("newConnection", ...details),
    connectionEstablished: (...details) => listener.tell("connectionEstablished", ...details),
    connectionClosed: (...details) => listener.tell("connectionClosed", ...details),
    newAddress: (...details) => listener.tell("newAddress", ...details),
    addressRemoved: (...details) => listener.tell("addressRemoved", ...details),
    newSubflow: (...details) => listener.tell("newSubflow", ...details),
    subflowClosed: (...details) => listener.tell("subflowClosed", ...details),
    subflowPriority: (...details) => listener.tell("subflowPriority", ...details),
    listenerCreated: (...details) => listener.tell("listenerCreated", ...details),
    listenerClosed: (...details) => listener.tell("listenerClosed", ...details),
    newInterface: (...details) => listener.tell("newInterface", ...details),
    updateInterface: (...details) => listener.tell("updateInterface", ...details),
    deleteInterface: (...details) => listener.tell("deleteInterface", ...details),
    newLocalAddress: (...details) => listener.tell("newLocalAddress", ...details),
    deleteLocalAddress: (...details) => listener.tell("deleteLocalAddress", ...details),
  };
}
