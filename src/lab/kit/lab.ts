import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { checkout } from "./checkout.ts";
import { type Belongings, Host } from "./host.ts";
import type { LabProcess } from "./lab-process.ts";
import { type Cable, type CableEnds, CableRoom } from "./link.ts";
import { labDirectory } from "./requires.ts";
import { runShortly } from "./shell.ts";
import { within } from "./wait.ts";

/** What a lab needs of node:test's context: a way to be closed at the test's end. */
export type Closer = { after(callback: () => Promise<void>): void };

/**
 * Hosts and links of one test: network namespaces, veth pairs between them, the processes in them.
 *
 * Only inside a sandbox (tools/sandbox.mjs). `Lab.create(t)` closes the lab at the end of the test `t`; without an
 * argument, `close()` is the caller's.
 */
export class Lab {
  readonly #prefix = `${process.pid}-${randomBytes(2).toString("hex")}`;
  readonly #hosts = new Map<string, Host>();
  readonly #belongings: Belongings = { processes: new Set(), closers: new Set() };
  #here: Host | undefined;
  #cables: Promise<CableRoom> | undefined;
  #files = 0;

  static async create(test?: Closer): Promise<Lab> {
    if (!existsSync(labDirectory)) {
      throw new Error(
        "the lab works only in a sandbox: `npm test -- kernel`, or node tools/sandbox.mjs COMMAND",
      );
    }
    const lab = new Lab();
    mkdirSync(lab.directory);
    test?.after(() => lab.close());
    return lab;
  }

  /** A directory of this lab's own, in memory; gone at the end. */
  get directory(): string {
    return join(labDirectory, this.#prefix);
  }

  /** A path in it that nothing has taken yet. */
  freshPath(name: string): string {
    return join(this.directory, `${++this.#files}-${name}`);
  }

  /** The host of this name, made when first asked for: loopback up, no reverse-path filter, nothing else. */
  async host(name: string): Promise<Host> {
    const known = this.#hosts.get(name);
    if (known) return known;
    const host = new Host(name, `${this.#prefix}-${name}`, this.#belongings);
    this.#hosts.set(name, host);
    await runShortly("ip", ["netns", "add", host.namespace]);
    await host.prepare();
    return host;
  }

  /**
   * The network namespace that this very process is in, as a host: for tests that call src/ directly. Its sandbox is
   * shared with other test files that run at the same time; closing the lab takes its interfaces and endpoints away.
   */
  async here(): Promise<Host> {
    if (this.#here) return this.#here;
    const namespace = `${this.#prefix}-here`;
    await runShortly("ip", ["netns", "attach", namespace, String(process.pid)]);
    this.#here = new Host("here", namespace, this.#belongings);
    return this.#here;
  }

  /** Joins two hosts by a cable, or plugs one host into nothing but a carrier; see CableEnds. */
  async link(ends: CableEnds): Promise<Cable> {
    this.#cables ??= this.host("cables").then((host) => new CableRoom(host));
    return (await this.#cables).connect(ends);
  }

  /** Kills what runs and deletes what is there. Idempotent. */
  async close(): Promise<void> {
    const { processes, closers } = this.#belongings;
    const killed = Promise.allSettled([...processes].map((child) => child.kill()));
    await Promise.all([...closers].map((close) => close()));
    closers.clear();
    const hosts = [...this.#hosts.values()];
    this.#hosts.clear();
    // Their children may hold their output open.
    await within("the end of processes", killed, 2000).catch(() => killAllIn(hosts));
    await killed;
    await this.#leaveHere();
    await Promise.all(hosts.map((host) => runShortly("ip", ["netns", "delete", host.namespace])));
    // What is being killed may still write a file.
    rmSync(this.directory, { recursive: true, force: true, maxRetries: 5 });
  }

  async #leaveHere(): Promise<void> {
    const here = this.#here;
    if (!here) return;
    this.#here = undefined;
    const names = (await here.ip("-o link show")).matchAll(/^\d+: ([^:@]+)/gm);
    const made = [...names].flatMap(([, name]) => (name === undefined || name === "lo" ? [] : [name]));
    await here.ipBatch([...made.map((name) => `link delete ${name}`), "mptcp endpoint flush"]);
    await here.ip("addr flush dev lo scope global");
    await runShortly("ip", ["netns", "delete", here.namespace]);
  }
}

/** Kills every process that is in one of these hosts. */
async function killAllIn(hosts: readonly Host[]): Promise<void> {
  for (const { namespace } of hosts) {
    const pids = (await runShortly("ip", ["netns", "pids", namespace]))
      .split("\n")
      .filter((pid) => pid !== "");
    for (const pid of pids) {
      try {
        process.kill(Number(pid), "SIGKILL");
      } catch {
        // It has ended.
      }
    }
  }
}

export type TwoPaths = {
  client: Host;
  server: Host;
  /**
   * Path i joins the client's interface `eth<i>` (10.0.<i>.2, fd00:<i>::2) to the server's (10.0.<i>.1, fd00:<i>::1).
   */
  paths: readonly [Cable, Cable];
};

/**
 * A client with two uplinks and a server on both. The client routes by source address, as a multihomed host must; the
 * server answers on the link that the packet came by. Default routes: by path 1, and by path 2 with a worse metric.
 */
export async function twoPaths(lab: Lab, { rate }: { rate?: string } = {}): Promise<TwoPaths> {
  const client = await lab.host("client");
  const server = await lab.host("server");
  const path = (i: number) =>
    lab.link({
      a: [client, `eth${i}`, `10.0.${i}.2/24`, `fd00:${i}::2/64`],
      b: [server, `eth${i}`, `10.0.${i}.1/24`, `fd00:${i}::1/64`],
      ...(rate === undefined ? {} : { rate }),
    });
  const paths = [await path(1), await path(2)] as const;
  // ip -batch takes no family, and `rule add` guesses none.
  const uplinks = [1, 2].flatMap(addressing);
  for (const { family, me, i } of uplinks) await client.ip(`${family} rule add from ${me} table ${i}`);
  await client.ipBatch(uplinks.flatMap(routes));
  return { client, server, paths };
}

type Uplink = { i: number; family: "-4" | "-6"; me: string; subnet: string; gateway: string };

function addressing(i: number): Uplink[] {
  return [
    { i, family: "-4", me: `10.0.${i}.2`, subnet: `10.0.${i}.0/24`, gateway: `10.0.${i}.1` },
    { i, family: "-6", me: `fd00:${i}::2`, subnet: `fd00:${i}::/64`, gateway: `fd00:${i}::1` },
  ];
}

function routes({ i, subnet, gateway }: Uplink): string[] {
  return [
    `route add ${subnet} dev eth${i} table ${i}`,
    `route add default via ${gateway} dev eth${i} table ${i}`,
    `route add default via ${gateway} dev eth${i} metric ${i * 10}`,
  ];
}

export type DaemonOptions = {
  /** The text of mptcpd.conf; empty without it. */
  config?: string;
  /** Further arguments; they follow --config and --runtime-dir. */
  args?: readonly string[];
  env?: Readonly<Record<string, string | undefined>>;
  /** Take over another run's directory, as a restart does. */
  runtimeDirectory?: string;
  /** The command line of the daemon, for one that is not this checkout's. */
  command?: readonly [string, ...string[]];
};

export type Daemon = LabProcess & { readonly configFile: string; readonly runtimeDirectory: string };

/**
 * Starts this checkout's mptcpd in a host, with a configuration file and a runtime directory of its own. It is on its
 * way when this returns: wait for a line of its log or for the kernel's state.
 */
export function startDaemon(lab: Lab, host: Host, options: DaemonOptions = {}): Daemon {
  const configFile = lab.freshPath("mptcpd.conf");
  writeFileSync(configFile, options.config ?? "", { mode: 0o644 });
  const runtimeDirectory = options.runtimeDirectory ?? lab.freshPath("runtime");
  mkdirSync(runtimeDirectory, { recursive: true });
  const [command, ...before] = options.command ?? [join(checkout, "bin/mptcpd")];
  const args = [
    ...before,
    "--config",
    configFile,
    "--runtime-dir",
    runtimeDirectory,
    ...(options.args ?? []),
  ];
  const child = host.spawn(command, args, options.env === undefined ? {} : { env: options.env });
  return Object.assign(child, { configFile, runtimeDirectory });
}
