import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { checkout } from "../../src/lab/kit/checkout.ts";
import type { Host, LabEndpoint } from "../../src/lab/kit/host.ts";
import { type Closer, type Daemon, type DaemonOptions, Lab, startDaemon } from "../../src/lab/kit/lab.ts";
import type { Cable } from "../../src/lab/kit/link.ts";
import { eventually, within } from "../../src/lab/kit/wait.ts";

export type MachineOptions = Omit<DaemonOptions, "runtimeDirectory">;

/** Addresses by interface: `{ eth0: ["10.0.0.1/24"] }`. */
export type Interfaces = Readonly<Record<string, readonly string[]>>;

/** [core] settings that make every change take effect at once; without them endpoints outlive their address by 2 s. */
export const atOnce = "[core]\nremoval-delay=0\n";

/** The same, but for the last endpoints of a host, which outlive their link. */
export const soon = "[core]\nremoval-delay=0.1\n";

/** The same for what keeps endpoints longer than any test runs: what still goes, goes at once. */
export const hourly = "[core]\nremoval-delay=3600\n";

/** The command line of this checkout's mptcpd, for those that run it by way of another program. */
export const program = [process.execPath, join(checkout, "dist/mptcpd.js")] as const;

/** How long a test waits, if that is longer than usual. */
export type Patience = { readonly deadlineMs?: number };

export type Ending = { code: number | null; lines: readonly string[] };

/**
 * A host, the cables in its interfaces, at whose other ends nobody listens, and the mptcpd that serves it: what tests
 * of the daemon begin with. Its runtime directory stays the same from one start to the next.
 */
export class Machine {
  readonly lab: Lab;
  readonly host: Host;
  readonly runtimeDirectory: string;
  readonly #cables = new Map<string, Cable>();
  #daemon: Daemon | undefined;

  /** With these interfaces, and mptcpd not started yet. */
  static async create(test: Closer, interfaces: Interfaces = { eth0: ["10.0.0.1/24"] }): Promise<Machine> {
    const lab = await Lab.create(test);
    const machine = new Machine(lab, await lab.host("client"));
    for (const [device, addresses] of Object.entries(interfaces)) await machine.plug(device, ...addresses);
    return machine;
  }

  /** Without any interface yet, and with an mptcpd that is ready. */
  static async started(test: Closer, options?: MachineOptions): Promise<Machine> {
    const machine = await Machine.create(test, {});
    await machine.start(options);
    return machine;
  }

  /** eth1 (10.0.1.2) and eth2 (10.0.2.2), both endpoints of an mptcpd that runs. */
  static async withTwoUplinks(test: Closer, config: string): Promise<Machine> {
    const machine = await Machine.started(test, { config });
    await machine.plug("eth1", "10.0.1.2/24");
    await machine.plug("eth2", "10.0.2.2/24");
    await machine.hasEndpointsAt(["10.0.1.2", "10.0.2.2"]);
    return machine;
  }

  constructor(lab: Lab, host: Host) {
    this.lab = lab;
    this.host = host;
    this.runtimeDirectory = lab.freshPath("runtime");
  }

  ip(line: string): Promise<string> {
    return this.host.ip(line);
  }

  /** Makes an interface with these addresses and a cable in it. */
  async plug(device: string, ...addresses: readonly string[]): Promise<void> {
    this.#cables.set(device, await this.lab.link({ a: [this.host, device, ...addresses] }));
  }

  cable(device: string): Cable {
    const cable = this.#cables.get(device);
    assert.ok(cable, `no cable at ${device}`);
    return cable;
  }

  get daemon(): Daemon {
    assert.ok(this.#daemon, "no daemon was started");
    return this.#daemon;
  }

  /** Starts mptcpd without waiting for anything; with `atOnce` unless a configuration is given. */
  launch(options: MachineOptions = {}): Daemon {
    const { runtimeDirectory } = this;
    this.#daemon = startDaemon(this.lab, this.host, { config: atOnce, ...options, runtimeDirectory });
    return this.#daemon;
  }

  /** Starts mptcpd and waits until it says that it is ready. */
  async start(options: MachineOptions = {}): Promise<Daemon> {
    const daemon = this.launch(options);
    await daemon.waitForLine(/^notice: ready$/);
    return daemon;
  }

  /** Starts an mptcpd that is to end by itself, and gives how it ended and what it wrote. */
  async runToEnd({ deadlineMs, ...options }: MachineOptions & Patience = {}): Promise<Ending> {
    const daemon = this.launch(options);
    const { code } = await within("mptcpd to end by itself", daemon.exited, deadlineMs);
    return { code, lines: daemon.lines };
  }

  /** Ends mptcpd by SIGTERM, which it obeys. */
  async stop(): Promise<void> {
    assert.deepEqual(await this.daemon.stop(), { code: 0, signal: null }, this.daemon.output);
  }

  /** Ends mptcpd by SIGTERM and starts it anew. */
  async restart(options: MachineOptions = {}): Promise<Daemon> {
    await this.stop();
    return this.start(options);
  }

  /** SIGHUP, after the file was replaced if a text is given; waits until the daemon has read and done everything. */
  async reload(config?: string): Promise<void> {
    const { daemon } = this;
    if (config !== undefined) writeFileSync(daemon.configFile, config);
    await this.says(/^(notice: configuration reloaded|error: the configuration was not reloaded)/, () =>
      daemon.signal("SIGHUP"),
    );
  }

  /** Until all that was changed before this call had its effect, what a removal delay holds back excepted. */
  async settled(): Promise<void> {
    await this.reload();
  }

  /** Waits until the kernel's endpoints are these; see `show` for how they are written. */
  async has(...expected: readonly string[]): Promise<void> {
    const wanted = expected.toSorted();
    await this.eventually("the endpoints", async () => assert.deepEqual(await this.show(), wanted));
  }

  /** Waits until exactly these addresses are endpoints, in any order. */
  async hasEndpointsAt(addresses: readonly string[]): Promise<void> {
    const wanted = addresses.toSorted();
    await this.eventually("the endpoints", async () =>
      assert.deepEqual(await this.host.endpointAddresses(), wanted),
    );
  }

  /** The kernel's endpoints are these, and still are when the daemon has read everything again. */
  async keeps(...expected: readonly string[]): Promise<void> {
    await this.has(...expected);
    await this.settled();
    assert.deepEqual(await this.show(), expected.toSorted(), this.daemon.output);
  }

  /** Fails if the daemon adds, changes or deletes an endpoint because of what is done. */
  async nothingHappens(action: () => Promise<unknown>): Promise<void> {
    await this.settled();
    const before = await this.host.endpoints();
    const from = this.daemon.lines.length;
    await action();
    await this.settled();
    const said = this.daemon.lines.slice(from).filter((line) => endpointLine.test(line));
    assert.deepEqual(said, []);
    assert.deepEqual(await this.host.endpoints(), before);
  }

  /** As the lab's `eventually`, and shows the daemon's log when it fails. */
  async eventually(...args: Parameters<typeof eventually>): Promise<void> {
    try {
      await eventually(...args);
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      throw new Error(`${message}\nmptcpd wrote:\n${this.#daemon?.output}`);
    }
  }

  /** The kernel's endpoints, sorted: "10.0.0.1 eth0 subflow,backup", "10.0.0.1 port 80 eth0 signal". */
  async show(): Promise<string[]> {
    return (await this.host.endpoints()).map(describe).toSorted();
  }

  /** The endpoint that has an address. */
  async endpoint(address: string): Promise<LabEndpoint> {
    const found = (await this.host.endpoints()).find((endpoint) => endpoint.address === address);
    assert.ok(found, `no endpoint ${address}`);
    return found;
  }

  /** The warnings and errors of the daemon's log so far, but those of slowness. */
  get problems(): string[] {
    return this.daemon.lines.filter((line) => /^(warning|error):/.test(line) && !slowHandler.test(line));
  }

  /** The log lines so far that say what became of an address: "endpoint 1 10.0.0.1 dev eth0 subflow: added, …". */
  history(address: string): string[] {
    return this.daemon.lines.filter((line) => line.includes(` ${address} `) && endpointLine.test(line));
  }

  /** Does something to the host or the daemon, and waits for a line that the daemon writes after that. */
  async says(pattern: RegExp, action: () => unknown): Promise<void> {
    const { daemon } = this;
    const from = daemon.lines.length;
    await action();
    await daemon.waitForLine(pattern, { from });
  }
}

/** What mptcpd says of a handler that took its time: on a machine that stands still for a moment any does. */
export const slowHandler = /^warning: \S+: \w+ took \d{3,} ms, in which no other event was handled$/;

const endpointLine = /endpoint \d+ \S+ .*: (added|changed|deleted)/;

function describe({ address, port, dev, flags }: LabEndpoint): string {
  return [address, ...(port ? [`port ${port}`] : []), dev ?? "-", flags.join(",") || "-"].join(" ");
}
