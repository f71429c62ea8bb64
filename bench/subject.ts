import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { checkout } from "../src/lab/kit/checkout.ts";
import type { Host } from "../src/lab/kit/host.ts";
import type { Lab } from "../src/lab/kit/lab.ts";
import type { LabProcess } from "../src/lab/kit/lab-process.ts";
import { waitFor } from "../src/lab/kit/wait.ts";

/** A daemon that is measured: this checkout's, or the C program of a Debian package. */
export type Subject = {
  readonly name: "ours" | "theirs";
  /** The command line that starts it in the foreground, in a fresh state. */
  command(lab: Lab): readonly [string, ...string[]];
};

/** Added to the device before the daemon starts; below what the measurements add. */
export const FIRST_ADDRESSES = ["10.77.0.1", "fd77::1"] as const;
export const DEVICE = "eth0";

/** This checkout's, started by bin/mptcpd as anybody does; nothing is held back when an address goes. */
export const ours: Subject = {
  name: "ours",
  command(lab) {
    const config = lab.freshPath("mptcpd.conf");
    writeFileSync(config, "[core]\nlog=null\nremoval-delay=0\n", { mode: 0o644 });
    const runtimeDirectory = lab.freshPath("runtime");
    mkdirSync(runtimeDirectory);
    return [join(checkout, "bin/mptcpd"), "--config", config, "--runtime-dir", runtimeDirectory];
  },
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

/**
 * A daemon with the plugin "bench" (bench/plugins, bench/plugin.c) in charge; it says what it has counted when it ends.
 */
export type PluginSubject = {
  readonly name: Subject["name"];
  /** `from`: an address that the plugin adds a subflow from. */
  command(lab: Lab, from?: string): readonly [string, ...string[]];
};

export const oursWithPlugin: PluginSubject = {
  name: "ours",
  command(lab, from) {
    const config = lab.freshPath("mptcpd.conf");
    const lines = ["[core]", `plugin-dir=${join(checkout, "bench/plugins")}`, "path-manager=bench"];
    if (from !== undefined) lines.push("[plugin bench]", `from=${from}`);
    writeFileSync(config, `${lines.join("\n")}\n`, { mode: 0o644 });
    const runtimeDirectory = lab.freshPath("runtime");
    mkdirSync(runtimeDirectory);
    return [join(checkout, "bin/mptcpd"), "--config", config, "--runtime-dir", runtimeDirectory];
  },
};

/** `plugins`: the directory that the compiled plugin.c is in. */
export function theirsWithPlugin(directory: string, plugins: string): PluginSubject {
  return {
    name: "theirs",
    command: (_, from) => [
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

/** A running daemon, alone in a host with one device. */
export type Running = { readonly subject: Subject; readonly host: Host; readonly process: LabProcess };

/** A host as every measurement begins with: one device, up, with an address of each family. */
export async function freshHost(lab: Lab, name: string): Promise<Host> {
  const host = await lab.host(name);
  const [ipv4, ipv6] = FIRST_ADDRESSES;
  await lab.link({ a: [host, DEVICE, `${ipv4}/24`, `${ipv6}/64`] });
  return host;
}

/** Starts a daemon in a host of its own, and waits for its first endpoints. */
export async function run(lab: Lab, subject: Subject, hostName: string): Promise<Running> {
  const host = await freshHost(lab, hostName);
  const [command, ...args] = subject.command(lab);
  const child = host.spawn(command, args);
  await waitFor(`the first endpoints of ${subject.name}`, async () => {
    if (child.exit) throw new Error(`${child.commandLine} ended: ${child.output}`);
    return (await host.endpoints()).length === FIRST_ADDRESSES.length;
  });
  return { subject, host, process: child };
}

/** How Debian names the directory of libraries. */
export function multiarch(): string {
  const machines: Readonly<Record<string, string>> = { x64: "x86_64", arm64: "aarch64" };
  return `${machines[process.arch] ?? process.arch}-linux-gnu`;
}
