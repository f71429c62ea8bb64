import type { SocketAddress } from "../../../../src/control/connections/connection.ts";
import type { SubflowRequest } from "../../../../src/control/connections/connection-updates.ts";
import type { EventOfConnection, EventOfSubflow } from "../../../../src/control/connections/from-events.ts";
import { mapped } from "../../../../src/kernel/netlink/ip.ts";
import { AF_INET, AF_INET6 } from "../../../../src/kernel/rtnetlink.ts";
import type { ConnectionOutline } from "../../../../src/kernel/sockets.ts";
import {
  announced,
  closed,
  endOf,
  initialOutline,
  ofSubflow,
  opening,
  outline,
  removed,
  subflowOutline,
} from "./builders.ts";

/** One thing that happens; `pick` chooses what it happens to. */
export type Step = { readonly kind: StepKind; readonly pick: number; readonly flag: boolean };
export type StepKind = (typeof kernelSteps)[number] | (typeof requestSteps)[number];

export const kernelSteps = [
  ...["open", "confirm", "announce", "withdraw", "join", "leave", "fail", "prioritize", "close"],
] as const;
/** Of subflows that this host asks for. */
export const requestSteps = ["request", "succeed", "refuse"] as const;

type Subflow = {
  readonly local: SocketAddress;
  readonly remote: SocketAddress;
  readonly localId: number;
  readonly initial: boolean;
  readonly localBackup: boolean;
  backup: boolean;
};

type Connection = {
  readonly token: number;
  readonly isMapped: boolean;
  readonly serverSide: boolean;
  readonly local: SocketAddress;
  readonly remote: SocketAddress;
  confirmed: boolean;
  subflows: Subflow[];
  requests: SubflowRequest[];
  readonly announced: Map<number, SocketAddress>;
};

/** Connections as the kernel has them; whatever happens to one is an event, and what there is can be listed. */
export class SimulatedKernel {
  #connections: Connection[] = [];
  #lastToken = 0;
  #lastPort = 40_000;
  readonly #onRequest: (token: number, request: SubflowRequest) => void;

  /** @param onRequest told what this host asks for, before the kernel knows */
  constructor(onRequest: (token: number, request: SubflowRequest) => void = () => undefined) {
    this.#onRequest = onRequest;
  }

  /** @returns its events; none, if there is nothing that it could happen to */
  step({ kind, pick, flag }: Step): EventOfConnection[] {
    if (kind === "open") return [this.#open(pick, flag)];
    const connection = choose(this.#connections, pick);
    if (connection === undefined) return [];
    const { token } = connection;
    switch (kind) {
      case "confirm":
        connection.confirmed = true;
        return [this.#opening("established", connection)];
      case "close":
        this.#connections = this.#connections.filter((other) => other !== connection);
        return [closed(token)];
      case "announce": {
        const address = { address: `10.1.0.${2 + (pick % 2)}`, port: flag ? 80 : 81 };
        connection.announced.set(1 + (pick % 3), address);
        return [announced(1 + (pick % 3), spell(connection, address.address), address.port, token)];
      }
      case "withdraw":
        connection.announced.delete(1 + (pick % 3));
        return [removed(1 + (pick % 3), token)];
      default:
        return connection.confirmed ? this.#subflowStep(connection, { kind, pick, flag }) : [];
    }
  }

  /** As sock_diag shows them. */
  outlines(): ConnectionOutline[] {
    return this.#connections.map(({ token, isMapped, local, remote, confirmed, serverSide, subflows }) => {
      const socketFamily = isMapped ? 6 : 4;
      const shown = subflows.map(({ initial, localBackup, backup, ...ids }) => {
        const capable = serverSide
          ? (["capableRemote"] as const)
          : (["capableLocal", "capableRemote"] as const);
        const backups = [
          ...(localBackup ? (["backupLocal"] as const) : []),
          ...(backup ? (["backupRemote"] as const) : []),
        ];
        const of = initial ? initialOutline : subflowOutline;
        const flags = [...(initial ? capable : (["joinLocal"] as const)), ...backups];
        const { flags: all, ...rest } = of({ ...ids, socketFamily, flags });
        return { ...rest, flags: confirmed ? all : all.without("fullyEstablished") };
      });
      return outline({ token, socketFamily, local, remote, subflows: shown });
    });
  }

  /** What `linesOf` should say of each. */
  truth(): string[][] {
    return this.#connections.map((connection) => {
      const { token, confirmed, serverSide, local, remote, subflows, requests, announced, isMapped } =
        connection;
      const ends = (one: Subflow | SubflowRequest) =>
        `${endOf(one.local)} id ${one.localId} > ${endOf(one.remote)} id 0`;
      return [
        `${token} ${confirmed ? "established" : "created"} ${serverSide ? "server" : "client"} ${endOf(local)} > ${endOf(remote)}`,
        ...subflows.map((one) =>
          [
            `${ends(one)} established`,
            ...(one.initial ? ["initial"] : []),
            ...(one.localBackup ? ["backup here"] : []),
            ...(one.backup ? ["backup there"] : []),
            ...(isMapped ? ["mapped"] : []),
          ].join(" "),
        ),
        ...requests.map((one) => `${ends(one)} connecting${one.localBackup ? " backup here" : ""}`),
        ...[...announced].map(([id, address]) => `announced ${id} ${endOf(address)}`),
      ];
    });
  }

  #open(pick: number, serverSide: boolean): EventOfConnection {
    const [here, there] = [
      { address: "10.0.0.1", port: ++this.#lastPort },
      { address: "10.1.0.1", port: 80 },
    ];
    const [local, remote] = serverSide
      ? [
          { ...here, port: there.port },
          { ...there, port: here.port },
        ]
      : [here, there];
    const initial = { local, remote, localId: 0, initial: true, localBackup: false, backup: false };
    const connection: Connection = {
      ...{ token: ++this.#lastToken, isMapped: pick % 4 === 0, serverSide, local, remote, confirmed: false },
      ...{ subflows: [initial], requests: [], announced: new Map() },
    };
    this.#connections.push(connection);
    return this.#opening("created", connection);
  }

  #opening(event: "created" | "established", connection: Connection): EventOfConnection {
    const { token, serverSide, local, remote } = connection;
    return opening(event, { token, serverSide, ...ends(connection, { local, remote }) });
  }

  #subflowStep(connection: Connection, { kind, pick, flag }: Step): EventOfConnection[] {
    const { token, remote } = connection;
    const local = { address: `10.0.0.${1 + (pick % 3)}`, port: 0 };
    const request = { local, localId: pick % 3, remote, ifIndex: 0, localBackup: flag };
    // Not like any request: who would ask for a subflow while the kernel makes the same one could not tell them apart.
    const own = { ...request, remote: { ...remote, address: "10.1.0.9" }, localBackup: false };
    switch (kind) {
      case "join":
        return [this.#join(connection, own)];
      case "fail": {
        const attempt = { ...own, local: { ...local, port: ++this.#lastPort } };
        return [this.#say("subflowClosed", connection, { ...attempt, backup: false }, { error: 110 })];
      }
      case "leave": {
        const subflow = choose(connection.subflows, pick);
        if (subflow === undefined) return [];
        connection.subflows = connection.subflows.filter((other) => other !== subflow);
        return [this.#say("subflowClosed", connection, subflow)];
      }
      case "prioritize": {
        const subflow = choose(connection.subflows, pick);
        if (subflow === undefined) return [];
        subflow.backup = flag;
        return [this.#say("subflowPriority", connection, subflow)];
      }
      case "request":
        connection.requests.push(request);
        this.#onRequest(token, request);
        return [];
      default:
        return this.#answer(connection, kind, pick, flag);
    }
  }

  /** What becomes of a request: of several that are alike the first has its turn. */
  #answer(connection: Connection, kind: StepKind, pick: number, flag: boolean): EventOfConnection[] {
    const chosen = choose(connection.requests, pick);
    const request = connection.requests.find((other) => other.localId === chosen?.localId);
    if (request === undefined) return [];
    connection.requests = connection.requests.filter((other) => other !== request);
    if (kind === "succeed") return [this.#join(connection, request)];
    const remote = { ...request.remote, port: flag ? request.remote.port : 0 };
    const local = { ...request.local, port: ++this.#lastPort };
    const attempt = { local, remote, localId: request.localId, backup: false };
    return [this.#say("subflowClosed", connection, attempt, { error: 111 })];
  }

  #join(connection: Connection, request: SubflowRequest): EventOfConnection {
    const { local, remote, localId, localBackup } = request;
    const ours = { ...local, port: ++this.#lastPort };
    const subflow = { local: ours, remote, localId, localBackup, initial: false, backup: false };
    connection.subflows.push(subflow);
    return this.#say("subflowEstablished", connection, subflow);
  }

  #say(
    event: EventOfSubflow["event"],
    connection: Connection,
    { local, remote, localId, backup }: Pick<Subflow, "local" | "remote" | "localId" | "backup">,
    reason: Pick<EventOfSubflow, "error"> = {},
  ): EventOfSubflow {
    const { token } = connection;
    return ofSubflow(event, { token, localId, backup, ...ends(connection, { local, remote }), ...reason });
  }
}

function choose<T>(list: readonly T[], pick: number): T | undefined {
  return list[pick % list.length];
}

function spell({ isMapped }: Connection, address: string): string {
  return isMapped ? mapped(address) : address;
}

function ends(connection: Connection, { local, remote }: Pick<Connection, "local" | "remote">) {
  return {
    family: connection.isMapped ? AF_INET6 : AF_INET,
    localAddress: spell(connection, local.address),
    localPort: local.port,
    remoteAddress: spell(connection, remote.address),
    remotePort: remote.port,
  };
}
