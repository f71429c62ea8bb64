import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { checkout } from "./checkout.ts";
import { type Daemon, type DaemonOptions, startDaemon } from "./daemon.ts";
import type { Host, LabEndpoint } from "./host.ts";
import { type Closer, Lab } from "./lab.ts";
import type { Cable } from "./link.ts";
import { atOnce } from "./served-host.ts";
import { waitFor, within } from "./wait.ts";

export type MachineOptions = Omit<DaemonOptions, "runtimeDirectory">;
export { atOnce } from "./served-host.ts";

/** The command line of this checkout's mptcpd, for those that run it by way of another program. */
export const program = [process.execPath, join(checkout, "dist/mptcpd.js")] as const;

export type Ending = { code: number | null; lines: readonly string[] };

/**
 * A host whose interfaces are plugged into the wall, and the mptcpd that serves it: what most tests of the daemon
 * begin with. Its runtime directory stays the same from one start to the next.
 */
export class Machine {
  readonly lab: Lab;
  readonly host: Host;
  readonly runtimeDirectory: string;
  readonly #cables: ReadonlyMap<string, Cable>;
  #daemon: Daemon | undefined;

  /** With the interfaces and addresses given: `{ eth0: ["10.0.0.1/24"] }`. */
  static async create(
    test: Closer,
    interfaces: Readonly<Record<string, readonly string[]>> = { eth0: ["10.0.0.1/24"] },
  ): Promise<Machine> {
    const lab = await Lab.create(test);
    const host = await lab.host("client");
    const cables = new Map<string, Cable>();
    for (const [device, addresses] of Object.entries(interfaces))
      cables.set(device, await lab.link({ a: [host, device, ...addresses] }));
    return new Machine(lab, host, cables);
  }

  constructor(lab: Lab, host: Host, cables: ReadonlyMap<string, Cable> = new Map()) {
    this.lab = lab;
    this.host = host;
    this.#cables = cables;
    this.runtimeDirectory = lab.freshPath("runtime");
  }

  ip(line: string): Promise<string> {
    return this.host.ip(line);
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

  /** Starts mptcpd without waiting for anything. */
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
  async runToEnd(options: MachineOptions = {}): Promise<Ending> {
    const daemon = this.launch(options);
    const { code } = await within("mptcpd to end by itself", daemon.exited);
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

  /** SIGHUP, after the file was replaced if a text is given; waits until the daemon is done with it. */
  async reload(config?: string): Promise<void> {
    const { daemon } = this;
    if (config !== undefined) writeFileSync(daemon.configFile, config);
    const from = daemon.lines.length;
    daemon.signal("SIGHUP");
    await daemon.waitForLine(/^(notice: configuration reloaded|error: the configuration was not reloaded)/, {
      from,
    });
  }

  /** Waits until the kernel's endpoints are these; see `show` for how they are written. */
  async has(...expected: readonly string[]): Promise<void> {
    const wanted = expected.toSorted();
    try {
      await waitFor("the endpoints", () => this.show(), {
        until: (shown) => JSON.stringify(shown) === JSON.stringify(wanted),
      });
    } catch {
      assert.deepEqual(await this.show(), wanted, this.#daemon?.output);
    }
  }

  /** The kernel's endpoints are these, and still are when the daemon has read everything again. */
  async keeps(...expected: readonly string[]): Promise<void> {
    await this.has(...expected);
    await this.reload();
    assert.deepEqual(await this.show(), expected.toSorted(), this.#daemon?.output);
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

  /** The warnings and errors of the daemon's log so far. */
  get problems(): string[] {
    return this.daemon.lines.filter((line) => /^(warning|error):/.test(line));
  }

  /** Does something to the host, and waits for a line that the daemon writes after that. */
  async says(pattern: RegExp, action: () => unknown): Promise<void> {
    const from = this.daemon.lines.length;
    await action();
    await this.daemon.waitForLine(pattern, { from });
  }
}

function describe({ address, port, dev, flags }: LabEndpoint): string {
  return [address, ...(port ? [`port ${port}`] : []), dev ?? "-", flags.join(",") || "-"].join(" ");
}
