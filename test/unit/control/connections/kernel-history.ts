import type { SubflowRequest } from "../../../../src/control/connections/connection-updates.ts";
import { type EventOfConnection, isOfConnection } from "../../../../src/control/connections/from-events.ts";
import { endpointFlags, type MptcpEvent } from "../../../../src/kernel/mptcp-pm.ts";
import type { ConnectionOutline } from "../../../../src/kernel/sockets.ts";
import {
  outlineOf,
  type SimulatedConnection,
  type SimulatedSubflow,
} from "../../../../src/path-managers/simulation/connection.ts";
import {
  type PeerAnswer,
  ROUND_TRIP,
  SimulatedKernel,
} from "../../../../src/path-managers/simulation/kernel.ts";
import { SimulatedPeer } from "../../../../src/path-managers/simulation/peer.ts";
import { FakeClock } from "../endpoints/fakes.ts";
import { endOf } from "./builders.ts";

/** One thing that happens; `pick` chooses what it happens to. */
export type Step = { readonly kind: StepKind; readonly pick: number; readonly flag: boolean };
export type StepKind = (typeof kernelSteps)[number] | (typeof requestSteps)[number];

export const kernelSteps = [
  ...["open", "confirm", "announce", "withdraw", "join", "leave", "fail", "prioritize", "close"],
] as const;
/** Of subflows that this host asks for. */
export const requestSteps = ["request", "succeed", "refuse"] as const;

/** What happens to connections of the simulated kernel: each gives events, and what there is can be listed. */
export class KernelHistory {
  readonly #clock = new FakeClock();
  readonly #kernel = new SimulatedKernel(this.#clock, { stateOf: () => "open" }, FIRST_PORT);
  readonly #onRequest: (token: number, request: SubflowRequest) => void;
  readonly #events: EventOfConnection[] = [];
  /** What path managers know, and the kernel does not: the peers' announcements, and what this host asks for. */
  readonly #announced = new Map<number, Map<number, string>>();
  readonly #requests = new Map<number, SubflowRequest[]>();
  #lastPort = 40_000;

  /** @param onRequest told what this host asks for, before the kernel knows */
  constructor(onRequest: (token: number, request: SubflowRequest) => void = () => undefined) {
    this.#onRequest = onRequest;
    const event = (event: MptcpEvent): void => {
      if (isOfConnection(event)) this.#events.push(event);
    };
    this.#kernel.events({ event, overrun: () => undefined, error: () => undefined });
  }

  /** @returns its events; none, if there is nothing that it could happen to */
  step(step: Step): EventOfConnection[] {
    const connection = choose([...this.#kernel.connections.values()], step.pick);
    if (step.kind === "open") this.#open(step);
    else if (connection !== undefined) this.#happen(connection, step);
    this.#clock.advance(ROUND_TRIP);
    const events = this.#events.splice(0);
    for (const event of events) this.#note(event);
    return events;
  }

  /** As sock_diag shows them. */
  outlines(): ConnectionOutline[] {
    return Array.from(this.#kernel.connections.values(), outlineOf);
  }

  /** What `linesOf` should say of each. */
  truth(): string[][] {
    return Array.from(this.#kernel.connections.values(), (connection) => {
      const { token, established, serverSide, local, remote, subflows } = connection;
      const [state, side] = [established ? "established" : "created", serverSide ? "server" : "client"];
      return [
        `${token} ${state} ${side} ${endOf(local)} > ${endOf(remote)}`,
        ...subflows.map(lineOf),
        ...(this.#requests.get(token) ?? []).map(requestLine),
        ...Array.from(this.#announced.get(token) ?? [], ([id, place]) => `announced ${id} ${place}`),
      ];
    });
  }

  #open({ pick, flag: serverSide }: Step): void {
    const [here, there] = [{ address: "10.0.0.1" }, { address: "10.1.0.1" }];
    const [port, listener] = [++this.#lastPort, 80];
    const connection = this.#kernel.open({
      local: { ...here, port: serverSide ? listener : port },
      remote: { ...there, port: serverSide ? port : listener },
      ...{ serverSide, denyJoinId0: false, socketFamily: pick % 4 === 0 ? 6 : 4 },
    });
    this.#kernel.tellOpening("created", connection);
  }

  #happen(connection: SimulatedConnection, { kind, pick, flag }: Step): void {
    const peer = new SimulatedPeer(this.#kernel, connection);
    const id = 1 + (pick % 3);
    if (kind === "confirm") peer.establish();
    else if (kind === "close") peer.close();
    else if (kind === "announce") peer.announce(id, `10.1.0.${2 + (pick % 2)}`, flag ? 80 : 81);
    else if (kind === "withdraw") peer.withdraw(id);
    else if (connection.established) this.#happenToSubflows(connection, peer, { kind, pick, flag });
  }

  #happenToSubflows(connection: SimulatedConnection, peer: SimulatedPeer, { kind, pick, flag }: Step): void {
    const { token, remote } = connection;
    const subflow = choose(connection.subflows, pick);
    const index = 1 + (pick % 3);
    // Not like any request: who asks for a subflow while the kernel makes the same one cannot tell them apart.
    if (kind === "join") peer.join({ from: "10.1.0.9", to: `10.0.0.${index}` });
    else if (kind === "fail") this.#create(token, `10.0.2.${index}`, 200 + index, remote, "refuse");
    else if (kind === "leave" && subflow !== undefined) this.#kernel.closeSubflow(connection, subflow);
    else if (kind === "prioritize" && subflow !== undefined) peer.setBackup(subflow.local.address, flag);
    else if (kind === "request") {
      const local = { address: `10.0.1.${index}`, port: 0 };
      const request = { local, localId: 100 + index, remote, ifIndex: 0, localBackup: flag };
      this.#requests.set(token, [...(this.#requests.get(token) ?? []), request]);
      this.#onRequest(token, request);
    } else if (kind === "succeed" || kind === "refuse") this.#answer(token, pick, kind);
  }

  /** What becomes of a request: of several that are alike the first has its turn. */
  #answer(token: number, pick: number, kind: "succeed" | "refuse"): void {
    const requests = this.#requests.get(token) ?? [];
    const chosen = choose(requests, pick);
    const request = requests.find((other) => other.localId === chosen?.localId);
    if (request === undefined) return;
    const { local, localId, remote, localBackup } = request;
    this.#requests.set(
      token,
      requests.filter((other) => other !== request),
    );
    const answer = kind === "succeed" ? "accept" : "refuse";
    this.#create(token, local.address, localId, remote, answer, localBackup);
  }

  #create(
    token: number,
    address: string,
    id: number,
    remote: SimulatedConnection["remote"],
    answer: PeerAnswer,
    backup = false,
  ): void {
    this.#kernel.answer = () => answer;
    const flags = endpointFlags.of(...(backup ? (["backup"] as const) : []));
    void this.#kernel.createSubflow({ token, local: { address, id }, remote, flags });
  }

  #note(event: EventOfConnection): void {
    const { token } = event;
    if (event.event === "announced") {
      const place = endOf({ address: event.remoteAddress, port: event.remotePort });
      this.#announced.set(token, new Map(this.#announced.get(token)).set(event.remoteId, place));
    } else if (event.event === "removed") this.#announced.get(token)?.delete(event.remoteId);
  }
}

const FIRST_PORT = 50_000;

function lineOf(subflow: SimulatedSubflow): string {
  const { local, localId, remote, remoteId, initial, localBackup, remoteBackup, mapped } = subflow;
  return [
    `${endOf(local)} id ${localId} > ${endOf(remote)} id ${remoteId} established`,
    ...(initial ? ["initial"] : []),
    ...(localBackup ? ["backup here"] : []),
    ...(remoteBackup ? ["backup there"] : []),
    ...(mapped ? ["mapped"] : []),
  ].join(" ");
}

function requestLine({ local, localId, remote, localBackup }: SubflowRequest): string {
  const ends = `${endOf(local)} id ${localId} > ${endOf(remote)} id 0`;
  return `${ends} connecting${localBackup ? " backup here" : ""}`;
}

function choose<T>(list: readonly T[], pick: number): T | undefined {
  return list[pick % list.length];
}
