import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { checkout } from "../src/lab/kit/checkout.ts";
import type { Host } from "../src/lab/kit/host.ts";
import type { Lab } from "../src/lab/kit/lab.ts";
import type { LabProcess } from "../src/lab/kit/lab-process.ts";
import { waitFor } from "../src/lab/kit/wait.ts";
import { nodeEnvironment, nodeOptions } from "./node-options.ts";

/**
 * A daemon that is measured: this checkout's, the C program of a Debian package, or the least that a program in C or on
 * Node can do in its place (bench/floor.c, bench/floor.ts).
 */
export type SubjectName = "ours" | "theirs" | "bareC" | "bareNode";
type Command = readonly [string, ...string[]];
export type Subject = {
  readonly name: SubjectName;
  /** The command line that starts it in the foreground, in a fresh state; ours has these lines in its configuration. */
  command(lab: Lab, configuration?: readonly string[]): Command;
};

/** Added to the device before the daemon starts; below what the measurements add. */
export const FIRST_ADDRESSES = ["10.77.0.1", "fd77::1"] as const;
export const DEVICE = "eth0";
export const OTHER_DEVICE = "eth1";

/** This checkout's, started by bin/mptcpd as anybody does; nothing is held back when an address goes. */
export const ours: Subject = {
  name: "ours",
  command: (lab, configuration = []) =>
    commandOfOurs(lab, ["[core]", "log=null", "removal-delay=0", ...configuration]),
};

/** The C program, unpacked and not installed, with the flags that make it do what ours does. */
export function theirs(directory: string): Subject {
  const libraries = join(directory, "usr/lib", multiarch());
  return {
    name: "theirs",
    command: () => [
      "env",
      `LD_LIBRARY_PATH=${libraries}`,
      join(directory, "usr/libexec/mptcpd"),
      `--plugin-dir=${join(libraries, "mptcpd")}`,
      "--path-manager=addr_adv",
      "--addr-flags=subflow",
      "--notify-flags=existing,skip_link_local",
      "--log=null",
    ],
  };
}

function commandOfOurs(lab: Lab, configuration: readonly string[]): Command {
  const config = lab.freshPath("mptcpd.conf");
  writeFileSync(config, `${configuration.join("\n")}\n`, { mode: 0o644 });
  const runtimeDirectory = lab.freshPath("runtime");
  mkdirSync(runtimeDirectory);
  return [join(checkout, "bin/mptcpd"), "--config", config, "--runtime-dir", runtimeDirectory];
}

/** What the plugin "bench" is told. */
export type PluginOptions = {
  /** An address that it adds a subflow from, to each connection. */
  readonly from?: string;
  /** It says when it knows of so many connections; only ours can. */
  readonly expect?: number;
};

/**
 * A daemon with the plugin "bench" (bench/plugins, bench/plugin.c) in charge, or a bare loop. When it ends, it says
 * what it has counted.
 */
export type PluginSubject = {
  readonly name: SubjectName;
  command(lab: Lab, options: PluginOptions): Command;
};

export const oursWithPlugin: PluginSubject = {
  name: "ours",
  command: (lab, options) => {
    const plugin = Object.entries(options).map(([name, value]) => `${name}=${value}`);
    const core = [`plugin-dir=${join(checkout, "bench/plugins")}`, "path-manager=bench"];
    return commandOfOurs(lab, [
      "[core]",
      ...core,
      ...(plugin.length > 0 ? ["[plugin bench]", ...plugin] : []),
    ]);
  },
};

/** `plugins`: the directory that the compiled plugin.c is in. */
export function theirsWithPlugin(directory: string, plugins: string): PluginSubject {
  return {
    name: "theirs",
    command: (_, { from }) => [
      "env",
      `LD_LIBRARY_PATH=${join(directory, "usr/lib", multiarch())}`,
      ...(from === undefined ? [] : [`BENCH_FROM=${from}`]),
      join(directory, "usr/libexec/mptcpd"),
      `--plugin-dir=${plugins}`,
      "--path-manager=bench",
      "--log=stderr",
    ],
  };
}

/** The compiled floor.c: it looks at one device, so that what else the host has does not matter to it. */
export function bareC(program: string): Floor {
  return {
    endpoints: { name: "bareC", command: () => [program, "endpoints", DEVICE] },
    subflows: { name: "bareC", command: (_, { from }) => [program, "subflows", ...words(from)] },
  };
}

/** floor.ts in one file, with Node's options and environment as bin/mptcpd sets them. */
export function bareNode(program: string): Floor {
  const node = ["env", ...nodeEnvironment(), process.execPath, ...nodeOptions(), program] as const;
  return {
    endpoints: { name: "bareNode", command: () => [...node, "endpoints"] },
    subflows: { name: "bareNode", command: (_, { from }) => [...node, "subflows", ...words(from)] },
  };
}

export type Floor = { readonly endpoints: Subject; readonly subflows: PluginSubject };

function words(word: string | undefined): string[] {
  return word === undefined ? [] : [word];
}

/** What there is beside the device, and in our configuration. */
export type Surroundings = {
  /** Interfaces of containers: mptcpd leaves them out. */
  readonly interfaces?: number;
  /** Addresses on them, half of them IPv6. */
  readonly addresses?: number;
  /** Of another interface, on which they can be endpoints. */
  readonly others?: number;
  readonly configuration?: readonly string[];
};

/** A running daemon, alone in a host. */
export type Running = { readonly subject: Subject; readonly host: Host; readonly process: LabProcess };

/** A host as every measurement begins with: one device, up, with an address of each family, and what is beside it. */
export async function freshHost(lab: Lab, name: string, beside: Surroundings = {}): Promise<Host> {
  const host = await lab.host(name);
  const [ipv4, ipv6] = FIRST_ADDRESSES;
  await lab.link({ a: [host, DEVICE, `${ipv4}/24`, `${ipv6}/64`] });
  const { interfaces = 0, addresses = 0, others = 0 } = beside;
  if (interfaces > 0) await addContainers(lab, host, interfaces, addresses);
  if (others > 0) {
    await lab.link({ a: [host, OTHER_DEVICE] });
    await host.ipBatch(
      range(others).map((index) => `addr add 10.78.${index >> 8}.${index & 255}/32 dev ${OTHER_DEVICE}`),
    );
  }
  return host;
}

/** As container engines make them: one end of each veth pair is here. */
async function addContainers(lab: Lab, host: Host, interfaces: number, addresses: number): Promise<void> {
  const away = await lab.host(`${host.name}-containers`);
  // Addresses that wait for the detection of duplicates would change while it is measured.
  for (const one of [host, away]) await one.sysctl("net.ipv6.conf.default.accept_dad", 0);
  const names = range(interfaces).map((index) => `veth${index}`);
  await host.ipBatch(
    names.map((name) => `link add ${name} type veth peer name ${name} netns ${away.namespace}`),
  );
  for (const one of [host, away]) await one.ipBatch(names.map((name) => `link set ${name} up`));
  const texts = range(addresses).map((index) =>
    index % 2 === 0 ? `10.79.0.${index}/32` : `fd79::${index}/128`,
  );
  await host.ipBatch(texts.map((text, index) => `addr add ${text} dev ${names[index % interfaces]}`));
}

/** From 1 on. */
function range(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index + 1);
}

/** Starts a daemon in a host of its own, and waits for its first endpoints: those of the device, and `more`. */
export async function run(
  lab: Lab,
  subject: Subject,
  hostName: string,
  { beside = {}, more = 0 }: { beside?: Surroundings; more?: number } = {},
): Promise<Running> {
  const host = await freshHost(lab, hostName, beside);
  const [command, ...args] = subject.command(lab, beside.configuration);
  const child = host.spawn(command, args);
  await waitFor(`the first endpoints of ${subject.name}`, async () => {
    if (child.exit) throw new Error(`${child.commandLine} ended: ${child.output}`);
    return (await host.endpoints()).length === FIRST_ADDRESSES.length + more;
  });
  return { subject, host, process: child };
}

/** How Debian names the directory of libraries. */
export function multiarch(): string {
  const machines: Readonly<Record<string, string>> = { x64: "x86_64", arm64: "aarch64" };
  return `${machines[process.arch] ?? process.arch}-linux-gnu`;
}
