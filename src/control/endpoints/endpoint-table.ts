import { setLatest } from "../../base/bounded-map.ts";
import type { Fields, Logger } from "../../base/log/log.ts";
import type { Endpoint, EndpointFlag, MptcpPm } from "../../kernel/mptcp-pm.ts";
import { refusalOf } from "../../kernel/mptcp-pm-refusals.ts";
import type { Bits } from "../../kernel/netlink/bits.ts";
import { KernelError } from "../../kernel/netlink/errors.ts";
import type { CurrentEndpoint } from "../policy/decision.ts";
import { describeEndpoint, isSameEndpoint } from "./endpoint-record.ts";
import type { Ledger } from "./ledger.ts";
import type { Step } from "./plan.ts";

/** The part of the kernel's path manager that is needed here. */
export type EndpointKernel = Pick<
  MptcpPm,
  | "dumpEndpoints"
  | "getEndpoint"
  | "addEndpoint"
  | "deleteEndpoint"
  | "changeEndpoint"
  | "getLimits"
  | "setLimits"
>;

export interface EndpointTableOptions {
  readonly kernel: EndpointKernel;
  readonly ledger: Ledger;
  readonly log: Logger;
  readonly interfaceName: (ifIndex: number) => string;
}

/** No kernel can hold more: an endpoint id is a u8, and 0 is taken. */
const MOST_ENDPOINTS = 255;

/**
 * The kernel's endpoints, as they were read last and as our own commands have changed them since. Each command is
 * entered in the ledger around its execution, and logged with its reason.
 */
export class EndpointTable {
  readonly #kernel: EndpointKernel;
  readonly #ledger: Ledger;
  readonly #log: Logger;
  readonly #interfaceName: (ifIndex: number) => string;
  readonly #formerIds = new Map<string, number>();
  #endpoints: readonly Endpoint[] = [];
  #capacity: number | undefined;
  #droppedFlags: readonly EndpointFlag[] = [];

  constructor({ kernel, ledger, log, interfaceName }: EndpointTableOptions) {
    this.#kernel = kernel;
    this.#ledger = ledger;
    this.#log = log;
    this.#interfaceName = interfaceName;
    this.#capacity = ledger.capacity;
  }

  /** How many endpoints the kernel holds at most, as far as is known: the kernel tells only by refusing one. */
  get capacity(): number {
    return this.#capacity ?? MOST_ENDPOINTS;
  }

  /** Whether a step can work: an addition needs a slot, and the endpoint that it replaces must be gone. */
  hasRoomFor(step: Step): boolean {
    if (step.kind !== "add") return true;
    const { replaces, endpoint } = step;
    if (replaces && this.#endpoints.some((other) => isSameEndpoint(other, replaces))) return false;
    const makesRoom = ({ address, flags }: Endpoint): boolean =>
      address === endpoint.address && flags.has("implicit");
    return this.#endpoints.length < this.capacity || this.#endpoints.some(makesRoom);
  }

  /** Finds the capacity again: it was counted after the refusal, and others may have deleted endpoints before that. */
  doubtCapacity(): void {
    this.#capacity = undefined;
  }

  /** Flags that this kernel silently dropped. */
  get droppedFlags(): readonly EndpointFlag[] {
    return this.#droppedFlags;
  }

  current(): readonly CurrentEndpoint[] {
    const current: CurrentEndpoint[] = [];
    for (const endpoint of this.#endpoints) current.push({ endpoint, ours: this.#ledger.owns(endpoint) });
    return current;
  }

  /** The id that an address had when it was an endpoint of ours. */
  readonly formerId = (address: string): number | undefined => this.#formerIds.get(address);

  /** Reads the endpoints, and logs how others have changed ours since the last time. */
  async read(): Promise<void> {
    const before = this.current().flatMap(({ endpoint, ours }) => (ours ? endpoint : []));
    this.#endpoints = await this.#kernel.dumpEndpoints();
    for (const own of before) this.#reportDrift(own);
    this.#ledger.retain((own) => {
      if (own.id !== 0) this.#rememberId(own);
      return this.#endpoints.some(
        (endpoint) => own.address === endpoint.address && this.#ledger.owns(endpoint),
      );
    });
    this.#ledger.retainCommanded((own) =>
      this.#endpoints.some(
        (endpoint) => own.address === endpoint.address && this.#ledger.isCommanded(endpoint),
      ),
    );
  }

  /**
   * Carries out a step.
   *
   * @returns false if the kernel's state was not as expected; the table was read again and a new plan is needed
   * @throws KernelError and other errors of netlink when the kernel refuses for a reason that reading again
   *   does not show
   */
  execute(step: Step): Promise<boolean> {
    if (step.kind === "add") return this.#add(this.#withoutDropped(step.endpoint), step.reason);
    if (step.kind === "change") return this.#change(step.endpoint, step.flags, step.reason);
    return this.#delete(step.endpoint, step.reason);
  }

  #withoutDropped(endpoint: Endpoint): Endpoint {
    if (this.#droppedFlags.length === 0) return endpoint;
    return { ...endpoint, flags: endpoint.flags.without(...this.#droppedFlags) };
  }

  async #add(endpoint: Endpoint, reason: string): Promise<boolean> {
    const { id, address, port, flags } = endpoint;
    this.#ledger.record(endpoint);
    try {
      await this.#kernel.addEndpoint(endpoint);
    } catch (error) {
      // Without an answer, the endpoint may exist all the same; then the next reading finds it in the ledger.
      if (!(error instanceof KernelError)) throw error;
      this.#ledger.forget(endpoint);
      if (await this.#isExplained(endpoint, error)) return false;
      throw error;
    }
    const added = id === 0 || flags.has("laminar") ? await this.#readBack(endpoint) : endpoint;
    if (!added) return false;
    this.#rememberId(added);
    this.#endpoints = [
      ...this.#endpoints.filter((other) => other.address !== address || other.port !== port),
      added,
    ];
    this.#report("added", added, reason);
    return true;
  }

  /** Whether reading again shows why the kernel refused an endpoint: no slot left, or its address or id is taken. */
  async #isExplained(endpoint: Endpoint, error: KernelError): Promise<boolean> {
    const known = this.#endpoints;
    await this.read();
    const taken = ({ id, address, port }: Endpoint): boolean =>
      id === endpoint.id || (address === endpoint.address && port === endpoint.port);
    if (this.#endpoints.some(taken)) return !known.some(taken);
    const refusal = refusalOf(error);
    // The address and id are not taken, so "no-slot-or-taken" means "no-slot".
    if (refusal !== "no-slot" && refusal !== "no-slot-or-taken") return false;
    const { length } = this.#endpoints;
    // Fewer endpoints than before: a slot is free again, and the number of slots is still unknown.
    if (length < known.length) return true;
    // More endpoints than before: somebody else has taken the slot.
    if (length === this.capacity) return length > known.length;
    this.#learnCapacity(length);
    return true;
  }

  #learnCapacity(capacity: number): void {
    this.#capacity = capacity;
    if (capacity === this.#ledger.capacity) return;
    this.#ledger.recordCapacity(capacity);
    this.#log.notice(`this kernel holds ${capacity} endpoints; addresses beyond them wait for a free slot`);
  }

  /** The endpoint as the kernel made it: with the id that it chose, and without flags that it does not know. */
  async #readBack(endpoint: Endpoint): Promise<Endpoint | undefined> {
    const { id, address, port, flags } = endpoint;
    const dump = await this.#kernel.dumpEndpoints();
    const actual = dump.find(
      (other) => other.address === address && other.port === port && (!id || other.id === id),
    );
    if (!actual) {
      await this.read();
      return undefined;
    }
    const dropped = flags.names.filter((name) => !actual.flags.has(name));
    if (dropped.length > 0) {
      this.#droppedFlags = [...this.#droppedFlags, ...dropped];
      this.#log.warning(`this kernel does not know the flag ${dropped.join(", ")}: endpoints go without it`);
    }
    this.#ledger.record(actual);
    return actual;
  }

  async #change(endpoint: Endpoint, flags: Bits<EndpointFlag>, reason: string): Promise<boolean> {
    if (!(await this.#isStillOurs(endpoint))) return false;
    await this.#kernel.changeEndpoint({ id: endpoint.id, flags });
    const changed = { ...endpoint, flags };
    this.#ledger.record(changed);
    this.#endpoints = this.#endpoints.map((other) => (isSameEndpoint(other, endpoint) ? changed : other));
    this.#report("changed", changed, reason);
    return true;
  }

  async #delete(endpoint: Endpoint, reason: string): Promise<boolean> {
    if (!(await this.#isStillOurs(endpoint))) return false;
    await this.#kernel.deleteEndpoint({ id: endpoint.id });
    this.#ledger.forget(endpoint);
    this.#ledger.forgetCommanded(endpoint);
    this.#endpoints = this.#endpoints.filter((other) => !isSameEndpoint(other, endpoint));
    this.#report("deleted", endpoint, reason);
    return true;
  }

  /** The kernel changes and deletes by id alone, so check just before which endpoint has the id. */
  async #isStillOurs({ id }: Endpoint): Promise<boolean> {
    const actual = await this.#kernel.getEndpoint(id);
    if (actual && (this.#ledger.owns(actual) || this.#ledger.isCommanded(actual))) return true;
    await this.read();
    return false;
  }

  /** Kept only for the latest addresses, as many as there are ids: a host gets new temporary addresses for ever. */
  #rememberId({ address, id }: Endpoint): void {
    setLatest(this.#formerIds, address, id, MOST_ENDPOINTS);
  }

  #reportDrift(own: Endpoint): void {
    const now = this.#endpoints.find(({ id, address }) => id === own.id && address === own.address);
    if (now && this.#ledger.owns(now) && now.flags.equals(own.flags)) return;
    const message = `${this.#describe(own)}: ${now ? "changed" : "deleted"} by somebody else`;
    this.#log.warning(message, this.#fields(own));
  }

  #report(what: string, endpoint: Endpoint, reason: string): void {
    this.#log.info(`${this.#describe(endpoint)}: ${what}, ${reason}`, {
      ...this.#fields(endpoint),
      REASON: reason,
    });
  }

  #describe(endpoint: Endpoint): string {
    return describeEndpoint(endpoint, this.#interfaceName(endpoint.ifIndex));
  }

  #fields({ id, address, ifIndex }: Endpoint): Fields {
    return { ENDPOINT_ID: id, ADDRESS: address, INTERFACE: this.#interfaceName(ifIndex) };
  }
}
