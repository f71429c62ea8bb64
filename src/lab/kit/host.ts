import { join } from "node:path";
import { namespaceDirectory } from "../../kernel/network-namespace.ts";
import { LabProcess, run, type SpawnOptions } from "./lab-process.ts";
import { runShortly } from "./shell.ts";

export type LabEndpoint = { id: number; address: string; port?: number; dev?: string; flags: string[] };
export type LabLimits = { subflows: number; addAddrAccepted: number };

/** What a lab ends at its own end. */
export type Belongings = {
  readonly processes: Set<LabProcess>;
  readonly closers: Set<() => Promise<void>>;
};

/** A host of the lab: a network namespace in which commands run. */
export class Host {
  readonly name: string;
  /** Its name for `ip -n`: unique among all test files that run at the same time. */
  readonly namespace: string;
  readonly #belongings: Belongings;

  constructor(name: string, namespace: string, belongings: Belongings) {
    this.name = name;
    this.namespace = namespace;
    this.#belongings = belongings;
  }

  /** The namespace's file, for setns(2). */
  get path(): string {
    return join(namespaceDirectory, this.namespace);
  }

  /** Runs a command to its end in this host and gives what it wrote; CommandError if its exit code is not 0. */
  run(command: string, ...args: readonly string[]): Promise<string> {
    return run("nsenter", [`--net=${this.path}`, "--", command, ...args]);
  }

  /** Before its first use: loopback up, no reverse-path filter. */
  async prepare(): Promise<void> {
    await this.#runShortly("sh", "-c", prepareNamespace);
  }

  /** Runs iproute2's ip with one line of arguments: `await host.ip("link set eth0 down")`. */
  ip(line: string): Promise<string> {
    return runShortly("ip", ["-n", this.namespace, ...words(line)]);
  }

  /** As many ip command lines as you like in one process (`ip -batch`): thousands take a fraction of a second. */
  ipBatch(lines: readonly string[]): Promise<string> {
    return runShortly("ip", ["-n", this.namespace, "-batch", "-"], `${lines.join("\n")}\n`);
  }

  /** As `ipBatch`, and goes on where the kernel refuses a line. */
  async ipBatchTry(lines: readonly string[]): Promise<void> {
    const options = ["-n", this.namespace, "-force", "-batch", "-"];
    await runShortly("ip", options, `${lines.join("\n")}\n`).catch(() => {});
  }

  /** Starts a command in this host. The lab kills it at its end, if nobody did before. */
  spawn(command: string, args: readonly string[] = [], options?: SpawnOptions): LabProcess {
    const child = new LabProcess("nsenter", [`--net=${this.path}`, "--", command, ...args], options);
    const { processes } = this.#belongings;
    processes.add(child);
    child.exited.finally(() => processes.delete(child)).catch(() => {});
    return child;
  }

  /** For what this process has opened in this host: the lab calls it at its end. */
  onClose(close: () => Promise<void>): void {
    this.#belongings.closers.add(close);
  }

  /** Reads a sysctl, or sets it: `await host.sysctl("net.mptcp.enabled", 0)`. Dots in interface names: use slashes. */
  async sysctl(name: string, value?: string | number): Promise<string> {
    const path = `/proc/sys/${name.includes("/") ? name : name.replaceAll(".", "/")}`;
    if (value === undefined) return (await this.#runShortly("cat", path)).trim();
    await this.#runShortly("sh", "-c", 'printf %s "$2" >"$1"', "sysctl", path, String(value));
    return String(value);
  }

  /** The kernel's endpoints as `ip mptcp` reads them, in the order of their ids. */
  async endpoints(): Promise<LabEndpoint[]> {
    const rows: unknown = JSON.parse(await this.ip("-j mptcp endpoint show"));
    if (!Array.isArray(rows)) throw new Error(`ip -j mptcp endpoint gave ${JSON.stringify(rows)}`);
    return rows.map(decodeEndpoint).sort((a, b) => a.id - b.id);
  }

  /** The addresses of the kernel's endpoints, sorted: what most tests ask about. */
  async endpointAddresses(): Promise<string[]> {
    return (await this.endpoints()).map(({ address }) => address).sort();
  }

  async limits(): Promise<LabLimits> {
    const text = await this.ip("mptcp limits show");
    const numberAfter = (word: string) => Number(text.match(new RegExp(`${word} (\\d+)`))?.[1]);
    return { subflows: numberAfter("subflows"), addAddrAccepted: numberAfter("add_addr_accepted") };
  }

  /** How many bytes an interface has sent so far. */
  async bytesSent(device: string): Promise<number> {
    const text = await this.ip(`-s link show dev ${device}`);
    return Number(text.match(/TX:.*\n\s*(\d+)/)?.[1]);
  }

  /** The interface's index. */
  async ifIndex(device: string): Promise<number> {
    const index = (await this.ip(`-o link show dev ${device}`)).match(/^(\d+):/)?.[1];
    return Number(index);
  }

  #runShortly(command: string, ...args: readonly string[]): Promise<string> {
    return runShortly("nsenter", [`--net=${this.path}`, "--", command, ...args]);
  }
}

/**
 * A new network namespace takes these from the machine's first one (net.core.devconf_inherit_init_net), where systemd
 * and container engines change them. 0 is the kernel's default; a strict rp_filter drops what comes in by another
 * interface than the route back, as with two uplinks.
 */
const prepareNamespace = `
ip link set lo up || exit
cd /proc/sys/net/ipv4/conf
for group in all default; do
  for name in rp_filter forwarding promote_secondaries arp_filter arp_ignore arp_announce log_martians; do
    echo 0 >$group/$name
  done
done`;

const flagNames = ["signal", "subflow", "backup", "fullmesh", "implicit", "laminar"];

function decodeEndpoint(row: unknown): LabEndpoint {
  if (typeof row !== "object" || row === null) throw new Error(`not an endpoint: ${JSON.stringify(row)}`);
  const fields = new Map<string, unknown>(Object.entries(row));
  const port = fields.get("port");
  const dev = fields.get("dev");
  return {
    id: Number(fields.get("id")),
    address: String(fields.get("address")),
    ...(typeof port === "number" ? { port } : {}),
    ...(typeof dev === "string" ? { dev } : {}),
    flags: flagNames.filter((name) => fields.get(name) === true),
  };
}

function words(line: string): string[] {
  return line.trim().split(/\s+/);
}
