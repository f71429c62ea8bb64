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
import { StateFile } from "../../../../src/control/endpoints/state-file.ts";
import type { Network } from "../../../../src/control/network/network.ts";
import type { Refusal } from "../../../../src/control/policy/decision.ts";
import { everyAddress } from "../../../../src/control/policy/input.ts";
import {
  type Endpoint,
  endpointFlags,
  type Limits,
  type NewEndpoint,
} from "../../../../src/kernel/mptcp-pm.ts";
import { KernelError } from "../../../../src/kernel/netlink/errors.ts";
import { type LinkSketch, networkOf } from "../policy/world.ts";

export const WALL_CLOCK_AT_START = 1_700_000_000_000;
const EPERM = 1;
const EINVAL = 22;
const EBUSY = 16;
const EEXIST = 17;
const ERANGE = 34;

/** The kernel's path manager in memory, with the rules of net/mptcp/pm_kernel.c that matter here. */
export class FakePathManager implements EndpointKernel {
  endpoints: Endpoint[] = [];
  limits: Limits = { subflows: 2, addAddrAccepted: 0 };
  capacity = 8;
  maximumLimit = 8;
  /** Whether there are connections, whose peers are told of each deletion. */
  hasPeers = false;
  removalsSent: bigint | undefined = 0n;
  /** Kernels before 6.18 have no laminar. */
  knownFlags = endpointFlags.of("signal", "subflow", "backup", "fullmesh", "implicit").value;
  /** Every command that changes something, in its order. */
  readonly commands: string[] = [];
  /** Called before each command that changes something; throwing makes it fail. */
  beforeCommand: (command: string) => void = () => undefined;

  async dumpEndpoints(): Promise<Endpoint[]> {
    return [...this.endpoints].sort((a, b) => a.id - b.id);
  }

  async getEndpoint(id: number): Promise<Endpoint | undefined> {
    return this.endpoints.find((endpoint) => endpoint.id === id);
  }

  async addEndpoint({ address, flags, id = 0, port = 0, ifIndex = 0 }: NewEndpoint): Promise<void> {
    this.#command(`add ${address}`);
    const same = this.endpoints.find((other) => other.address === address && other.port === port);
    const replaced = same?.flags.has("implicit") && id === 0 ? same : undefined;
    // In the order of mptcp_pm_nl_append_new_local_addr.
    if (this.endpoints.length >= this.capacity) throw new KernelError(`add endpoint ${address}`, ERANGE);
    if (this.endpoints.some((other) => other.id === id))
      throw new KernelError(`add endpoint ${address}`, EBUSY);
    if (same && !replaced) throw new KernelError(`add endpoint ${address}`, EEXIST);
    const known = endpointFlags.from(flags.value & this.knownFlags);
    const chosen = id || (replaced?.id ?? Math.max(0, ...this.endpoints.map((other) => other.id)) + 1);
    this.endpoints = this.endpoints.filter((other) => other !== replaced);
    this.endpoints.push({ id: chosen, address, port, flags: known, ifIndex });
  }

  async deleteEndpoint({ id }: { readonly id: number }): Promise<void> {
    this.#command(`delete ${id}`);
    if (!this.endpoints.some((endpoint) => endpoint.id === id))
      throw new KernelError(`delete endpoint ${id}`, EINVAL);
    this.endpoints = this.endpoints.filter((endpoint) => endpoint.id !== id);
    if (this.hasPeers && this.removalsSent !== undefined) this.removalsSent++;
  }

  async changeEndpoint(change: Parameters<EndpointKernel["changeEndpoint"]>[0]): Promise<void> {
    const id = "id" in change ? change.id : 0;
    this.#command(`change ${id}`);
    const changeable = endpointFlags.of("backup", "fullmesh").value;
    this.endpoints = this.endpoints.map((endpoint) => {
      const flags = endpointFlags.from(
        (endpoint.flags.value & ~changeable) | (change.flags.value & changeable),
      );
      return endpoint.id === id ? { ...endpoint, flags } : endpoint;
    });
  }

  async getLimits(): Promise<Limits> {
    return this.limits;
  }

  async setLimits(limits: Limits): Promise<void> {
    if (Math.max(limits.subflows, limits.addAddrAccepted) > this.maximumLimit) {
      throw new KernelError("set limits", EINVAL, {
        message: `limit greater than maximum (${this.maximumLimit})`,
      });
    }
    this.#command(`limits ${limits.subflows}/${limits.addAddrAccepted}`);
    this.limits = limits;
  }

  /** As "ID ADDRESS FLAGS". */
  get list(): string[] {
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
  readonly kernel = new FakePathManager();
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
  /** As they were told last. */
  refusals: readonly Refusal[] = [];
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
        store: (file) =>
          new StateFile({ file, clock: this.clock, log: this.logger, consequence: "a crash forgets it" }),
      }),
      network: () => this.network,
      wanted: () => everyAddress,
      config: () => this.config,
      log: this.logger,
      clock: this.clock,
      wallClock: () => WALL_CLOCK_AT_START + this.clock.now(),
      removalsSent: () => this.kernel.removalsSent,
      addressLoads: () => this.readAddressLoads(),
      resolving: async () => this.resolving,
      onRefusals: (refusals) => {
        this.refusals = refusals;
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
