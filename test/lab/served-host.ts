import assert from "node:assert/strict";
import { type Daemon, type DaemonOptions, startDaemon } from "./daemon.ts";
import type { Host } from "./host.ts";
import { type Closer, Lab } from "./lab.ts";
import type { Cable } from "./link.ts";
import { eventually } from "./wait.ts";

export type ServedHostOptions = DaemonOptions & {
  /** Where the test already has a lab, or a host in it. */
  lab?: Lab;
  host?: Host;
  /** What the daemon finds when it starts. */
  before?: (host: Host, lab: Lab) => Promise<unknown>;
};

/** [core] settings that make every change take effect at once; without them endpoints outlive their address by 2 s. */
export const atOnce = "[core]\nremoval-delay=0\n";

/** A host with a running mptcpd, which is ready when this resolves. */
export async function serveHost(test: Closer, options: ServedHostOptions = {}): Promise<ServedHost> {
  const { lab = await Lab.create(test), host = await lab.host("client"), before, ...daemonOptions } = options;
  await before?.(host, lab);
  const daemon = startDaemon(lab, host, daemonOptions);
  await daemon.waitForLine(/: ready$/);
  return new ServedHost(lab, host, daemon);
}

/** A host, its mptcpd, and what most tests ask about the two. */
export class ServedHost {
  readonly lab: Lab;
  readonly host: Host;
  readonly daemon: Daemon;

  constructor(lab: Lab, host: Host, daemon: Daemon) {
    this.lab = lab;
    this.host = host;
    this.daemon = daemon;
  }

  /** Plugs an interface with these addresses into a cable at whose other end nobody listens. */
  plug(device: string, ...addresses: string[]): Promise<Cable> {
    return this.lab.link({ a: [this.host, device, ...addresses] });
  }

  /** Waits until exactly these addresses are endpoints; the order does not matter. */
  async endpointsBecome(addresses: readonly string[], deadlineMs?: number): Promise<void> {
    await this.eventually(
      `the endpoints ${addresses.join(" ")}`,
      async () => assert.deepEqual(await this.host.endpointAddresses(), [...addresses].sort()),
      deadlineMs === undefined ? {} : { deadlineMs },
    );
  }

  /** As the lab's `eventually`, and shows the daemon's log when it fails. */
  async eventually(...args: Parameters<typeof eventually>): Promise<void> {
    try {
      await eventually(...args);
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      throw new Error(`${message}\nmptcpd wrote:\n${this.daemon.output}`);
    }
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

  /** Until all that was changed before this call had its effect, what a removal delay holds back excepted. */
  async settled(): Promise<void> {
    await this.reload();
  }

  /** Sends SIGHUP, and resolves when the daemon has read everything again and has acted on it. */
  async reload(): Promise<void> {
    const from = this.daemon.lines.length;
    this.daemon.signal("SIGHUP");
    await this.daemon.waitForLine(/configuration (was not )?reloaded/, { from });
  }

  /** The log lines so far that say what became of an address: "endpoint 1 10.0.0.1 dev eth0 subflow: added, …". */
  history(address: string): string[] {
    return this.daemon.lines.filter((line) => line.includes(` ${address} `) && endpointLine.test(line));
  }
}

const endpointLine = /endpoint \d+ \S+ .*: (added|changed|deleted)/;

/** eth1 (10.0.1.2) on `cable` and eth2 (10.0.2.2) on `otherCable`, both endpoints. */
export type TwoUplinks = ServedHost & { readonly cable: Cable; readonly otherCable: Cable };

export async function withTwoUplinks(test: Closer, config: string): Promise<TwoUplinks> {
  const served = await serveHost(test, { config });
  const cable = await served.plug("eth1", "10.0.1.2/24");
  const otherCable = await served.plug("eth2", "10.0.2.2/24");
  await served.endpointsBecome(["10.0.1.2", "10.0.2.2"]);
  return Object.assign(served, { cable, otherCable });
}
