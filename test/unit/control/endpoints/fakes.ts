import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import type { Clock, Timer } from "../../../../src/base/clock.ts";
import { createLogger, type Entry } from "../../../../src/base/log/log.ts";
import { type Config, defaultConfig } from "../../../../src/control/config/config.ts";
import type { EndpointKernel } from "../../../../src/control/endpoints/endpoint-table.ts";
import { Ledger, type LedgerOptions } from "../../../../src/control/endpoints/ledger.ts";
import { Reconciler } from "../../../../src/control/endpoints/reconciler.ts";
import type { AddressLoad } from "../../../../src/control/endpoints/remove-endpoints.ts";
import { StateJournal } from "../../../../src/control/endpoints/state-file.ts";
import type { Network } from "../../../../src/control/network/network.ts";
import type { Decision, Refusal } from "../../../../src/control/policy/decision.ts";
import { everyAddress } from "../../../../src/control/policy/input.ts";
import type { Endpoint, Limits, NewEndpoint } from "../../../../src/kernel/mptcp-pm.ts";
import { KernelError } from "../../../../src/kernel/netlink/errors.ts";
import {
  type EndpointRules,
  SimulatedEndpoints,
} from "../../../../src/path-managers/simulation/endpoints.ts";
import { type LinkSketch, networkOf } from "../policy/world.ts";

export const WALL_CLOCK_AT_START = 1_700_000_000_000;
const EPERM = 1;

/** The simulated kernel's endpoints, with a journal of the commands, which can be made to fail. */
export class EndpointJournal extends SimulatedEndpoints {
  /** Whether there are connections, whose peers are told of each deletion. */
  hasPeers = false;
  removalsSent: bigint | undefined = 0n;
  /** Every command that changes something, in its order. */
  readonly commands: string[] = [];
  /** Called before each command that changes something; throwing makes it fail. */
  beforeCommand: (command: string) => void = () => undefined;

  get endpoints(): readonly Endpoint[] {
    return this.list;
  }

  /** As somebody else makes them. */
  set endpoints(endpoints: readonly Endpoint[]) {
    this.list = endpoints;
  }

  get limits(): Limits {
    return this.currentLimits;
  }

  set limits(limits: Limits) {
    this.currentLimits = limits;
  }

  /** Makes it another version of Linux. */
  differ(rules: Partial<EndpointRules>): void {
    this.rules = { ...this.rules, ...rules };
  }

  override async addEndpoint(endpoint: NewEndpoint): Promise<void> {
    this.#command(`add ${endpoint.address}`);
    await super.addEndpoint(endpoint);
  }

  override async deleteEndpoint(endpoint: { readonly id: number }): Promise<void> {
    this.#command(`delete ${endpoint.id}`);
    await super.deleteEndpoint(endpoint);
    if (this.hasPeers && this.removalsSent !== undefined) this.removalsSent++;
  }

  override async changeEndpoint(change: Parameters<EndpointKernel["changeEndpoint"]>[0]): Promise<void> {
    this.#command(`change ${"id" in change ? change.id : change.address}`);
    await super.changeEndpoint(change);
  }

  override async setLimits(limits: Limits): Promise<void> {
    const command = `limits ${limits.subflows}/${limits.addAddrAccepted}`;
    this.beforeCommand(command);
    await super.setLimits(limits);
    // A refused one was to learn the maximum, and changed nothing.
    this.commands.push(command);
  }

  /** As "ID ADDRESS FLAGS". */
  get listed(): string[] {
    return this.endpoints.map(({ id, address, flags }) => `${id} ${address} ${flags}`);
  }

  get addresses(): string[] {
    return this.endpoints.map(({ address }) => address).sort();
  }

  #command(command: string): void {
    this.beforeCommand(command);
    this.commands.push(command);
  }
}

export function permissionDenied(what: string): KernelError {
  return new KernelError(what, EPERM);
}

/** A clock that stands still until it is told otherwise. */
export class FakeClock implements Clock {
  #now = 0;
  #timers: { readonly at: number; readonly callback: () => void }[] = [];

  now(): number {
    return this.#now;
  }

  schedule(milliseconds: number, callback: () => void): Timer {
    const timer = { at: this.#now + milliseconds, callback };
    this.#timers.push(timer);
    return { cancel: () => this.#drop(timer) };
  }

  advance(milliseconds: number): void {
    const end = this.#now + milliseconds;
    for (;;) {
      const next = this.#timers.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0];
      if (!next) break;
      this.#drop(next);
      this.#now = Math.max(this.#now, next.at);
      next.callback();
    }
    this.#now = Math.max(this.#now, end);
  }

  /** Lets time pass in which nothing else can happen. */
  block(milliseconds: number): void {
    this.#now += milliseconds;
  }

  #drop(timer: object): void {
    this.#timers = this.#timers.filter((other) => other !== timer);
  }
}

/** A reconciler in a world of fakes; only the ledger's file is real. */
export class World {
  readonly kernel = new EndpointJournal();
  readonly clock = new FakeClock();
  readonly log: Entry[] = [];
  readonly logger = createLogger({
    sink: { write: (entry) => this.log.push(entry), close: () => undefined },
    debug: false,
  });
  readonly directory = mkdtempSync(join(tmpdir(), "mptcpd-test-"));
  network: Network = networkOf({});
  config: Config = { ...defaultConfig, paths: [], removalDelay: 0 };
  /** What connections would lose with each address. */
  addressLoads: ReadonlyMap<string, AddressLoad> = new Map();
  readAddressLoads: () => Promise<ReadonlyMap<string, AddressLoad>> = async () => this.addressLoads;
  /** Interfaces on which the kernel looks for a neighbour. */
  resolving: ReadonlySet<number> = new Set();
  /** How often these were read. */
  resolvingReadings = 0;
  removalReadings = 0;
  /** As they were told last. */
  refusals: readonly Refusal[] = [];
  /** Of the last run. */
  decisions: readonly Decision[] = [];
  reconciler: Reconciler;

  constructor(test: TestContext) {
    test.after(() => rmSync(this.directory, { recursive: true }));
    this.reconciler = this.startReconciler();
  }

  ledger(options: Pick<LedgerOptions, "readOnly" | "store"> = {}): Ledger {
    const namespace = { bootId: "this boot", key: "1" };
    const warn = (message: string): void => {
      this.log.push({ level: "warning", message, fields: {} });
    };
    return new Ledger({ directory: this.directory, namespace, warn, ...options });
  }

  /** As a daemon does that starts on what an earlier one left. */
  startReconciler(kernel: EndpointKernel = this.kernel): Reconciler {
    this.reconciler = new Reconciler({
      kernel,
      ledger: this.ledger({
        store: (file, wholeText) =>
          new StateJournal({
            ...{ file, wholeText, clock: this.clock, log: this.logger },
            consequence: "a crash forgets it",
          }),
      }),
      network: () => this.network,
      wanted: () => everyAddress,
      config: () => this.config,
      log: this.logger,
      clock: this.clock,
      wallClock: () => WALL_CLOCK_AT_START + this.clock.now(),
      removalsSent: () => {
        this.removalReadings++;
        return this.kernel.removalsSent;
      },
      addressLoads: () => this.readAddressLoads(),
      resolving: async () => {
        this.resolvingReadings++;
        return this.resolving;
      },
      onRefusals: (refusals) => {
        this.refusals = refusals;
      },
      onDecisions: (decisions) => {
        this.decisions = decisions;
      },
    });
    return this.reconciler;
  }

  /** Changes the network and waits until the reconciler has nothing left to do. */
  async become(sketches: Readonly<Record<string, LinkSketch>>): Promise<void> {
    this.network = networkOf(sketches);
    this.reconciler.trigger();
    await this.reconciler.settled();
  }

  async advance(milliseconds: number): Promise<void> {
    this.clock.advance(milliseconds);
    await this.reconciler.settled();
  }

  async resync(): Promise<void> {
    this.reconciler.resync();
    await this.reconciler.settled();
  }

  /** Messages of a level, joined. */
  said(level: Entry["level"]): string {
    return this.log.flatMap((entry) => (entry.level === level ? entry.message : [])).join("\n");
  }

  /** The commands since the last call. */
  commands(): string[] {
    return this.kernel.commands.splice(0);
  }
}
