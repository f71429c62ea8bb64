/**
 * Sysctls of Multipath TCP, `net.mptcp.*`, and the reverse path filter, of the network namespace that the
 * process is in. The kernel's documentation of them: Documentation/networking/mptcp-sysctl.rst and ip-sysctl.rst.
 *
 * Reads and writes are synchronous on purpose. What /proc/sys/net shows belongs to the namespace of the *thread*
 * that opens the file, and setns(2) moves one thread only: an asynchronous read would run on a thread of libuv's
 * pool, which stays in the namespace that the process was started in.
 */

import { readFileSync, writeFileSync } from "node:fs";
import { codeOf, hasCode } from "../base/errors.ts";

/** How the text in a sysctl's file becomes a value, and the other way round. */
type Codec<Value> = { parse(text: string): Value; format(value: Value): string };

const toggle: Codec<boolean> = {
  parse: (text) => Number(text) !== 0,
  format: (value) => (value ? "1" : "0"),
};
const number: Codec<number> = { parse: Number, format: String };
const name: Codec<string> = { parse: (text) => text, format: (value) => value };
const names: Codec<readonly string[]> = {
  parse: (text) => text.split(/\s+/).filter((word) => word !== ""),
  format: (value) => value.join(" "),
};

const mptcpCodecs = {
  /** Whether sockets of IPPROTO_MPTCP can be made. */
  enabled: toggle,
  /** The path manager of new connections: `kernel`, `userspace`, or another that is available. Linux 6.15. */
  path_manager: name,
  available_path_managers: names,
  /** The number that `path_manager` replaced: 0 kernel, 1 userspace. Linux 5.19. */
  pm_type: number,
  scheduler: name,
  available_schedulers: names,
  /** Whether the peer may join at the address and port of the initial subflow (the C flag of MP_CAPABLE, unset). */
  allow_join_initial_addr_port: toggle,
  /** Seconds after which an unanswered ADD_ADDR is sent again; 0 = never. */
  add_addr_timeout: number,
  /** 7.2: whether an IPv6 ADD_ADDR with a port may leave out the TCP timestamp to fit. */
  add_addr_v6_port_drop_ts: toggle,
  /** Seconds for which active MPTCP connections are plain TCP after a blackhole was met; 0 = not looked for. */
  blackhole_timeout: number,
  /** Seconds that a connection without subflows lives on. */
  close_timeout: number,
  /** Losses of one subflow, while others transmit, after which it is stale. */
  stale_loss_cnt: number,
  checksum_enabled: toggle,
  /** MP_CAPABLE SYNs that may go unanswered before the connection is tried as plain TCP. Linux 6.14. */
  syn_retrans_before_tcp_fallback: number,
};

/** Every `net.mptcp` sysctl by its own name, with the type of its value. */
export type MptcpSysctls = {
  -readonly [Name in keyof typeof mptcpCodecs]: ReturnType<(typeof mptcpCodecs)[Name]["parse"]>;
};
export type MptcpSysctlName = keyof MptcpSysctls;

/** A sysctl that could not be read or set. `code` is the system's (EPERM, EINVAL…), `sysctl` its dotted name. */
export class SysctlError extends Error {
  override readonly name = "SysctlError";
  readonly code: string;
  readonly sysctl: string;

  constructor(action: "read" | "set", sysctl: string, cause: unknown) {
    const code = codeOf(cause) ?? "UNKNOWN";
    super(`cannot ${action} ${sysctl}: ${explanations[code] ?? code}`, { cause });
    this.code = code;
    this.sysctl = sysctl;
  }
}

export class Sysctls {
  readonly #root: string;

  /** `root` stands in for /proc/sys in tests. */
  constructor(root = "/proc/sys") {
    this.#root = root;
  }

  /** Whether the kernel was built with MPTCP. */
  get hasMptcp(): boolean {
    return this.mptcp("enabled") !== undefined;
  }

  /** The value of `net.mptcp.NAME`; undefined if this kernel does not have it. Throws SysctlError. */
  mptcp<Name extends MptcpSysctlName>(name: Name): MptcpSysctls[Name] | undefined {
    const codec: Codec<MptcpSysctls[Name]> = mptcpCodec(name);
    const text = this.#read(["net", "mptcp", name]);
    return text === undefined ? undefined : codec.parse(text);
  }

  /** Sets `net.mptcp.NAME`. Throws SysctlError, with ENOENT if this kernel does not have it. */
  setMptcp<Name extends MptcpSysctlName>(name: Name, value: MptcpSysctls[Name]): void {
    const codec: Codec<MptcpSysctls[Name]> = mptcpCodec(name);
    this.#write(["net", "mptcp", name], codec.format(value));
  }

  /** The path manager of new connections, also on kernels before 6.15, which know it by number only. */
  pathManager(): string | undefined {
    const name = this.mptcp("path_manager");
    if (name !== undefined) return name;
    const type = this.mptcp("pm_type");
    return type === undefined ? undefined : (pathManagerTypes[type] ?? String(type));
  }

  /**
   * Sets it by name. Throws SysctlError: ENOENT where the kernel has no choice (before Linux 5.19), EINVAL for an
   * unknown one.
   */
  setPathManager(name: string): void {
    if (this.mptcp("path_manager") !== undefined) this.setMptcp("path_manager", name);
    else this.setMptcp("pm_type", pathManagerTypes.indexOf(name));
  }

  /**
   * `net.ipv4.conf.INTERFACE.rp_filter` of an interface, or of `all` or `default`: 0 off, 1 strict, 2 loose.
   * The kernel applies the greater of the interface's and of `all`'s. Undefined if there is no such interface.
   */
  reversePathFilter(interfaceName: string): number | undefined {
    const text = this.#read(["net", "ipv4", "conf", interfaceName, "rp_filter"]);
    return text === undefined ? undefined : number.parse(text);
  }

  setReversePathFilter(interfaceName: string, value: 0 | 1 | 2): void {
    this.#write(["net", "ipv4", "conf", interfaceName, "rp_filter"], number.format(value));
  }

  #read(name: readonly string[]): string | undefined {
    try {
      return readFileSync(this.#path(name), "utf8").trim();
    } catch (error) {
      if (hasCode(error, "ENOENT")) return undefined;
      throw new SysctlError("read", name.join("."), error);
    }
  }

  #write(name: readonly string[], value: string): void {
    try {
      // No O_CREAT: /proc/sys would refuse it with EACCES, which hides that the sysctl is absent.
      writeFileSync(this.#path(name), value, { flag: "r+" });
    } catch (error) {
      throw new SysctlError("set", name.join("."), error);
    }
  }

  /**
   * An interface's name may hold dots, hence a list and no dotted name; it cannot hold what would leave its directory.
   */
  #path(name: readonly string[]): string {
    if (name.some((part) => part === "" || part === "." || part === ".." || part.includes("/"))) {
      throw Object.assign(new Error(`no sysctl has the name ${name.join(".")}`), { code: "ENOENT" });
    }
    return `${this.#root}/${name.join("/")}`;
  }
}

/** enum mptcp_pm_type, net/mptcp/protocol.h */
const pathManagerTypes: readonly string[] = ["kernel", "userspace"];

const explanations: Readonly<Record<string, string>> = {
  ENOENT: "this kernel does not have it",
  EINVAL: "the kernel refuses the value (EINVAL)",
  EPERM: "not permitted; it takes CAP_NET_ADMIN in this network namespace",
  EACCES: "not permitted; it takes CAP_NET_ADMIN in this network namespace",
  EROFS: "/proc/sys is mounted read-only here",
};

/** The table is seen through a mapped type, so that a name and its codec's type stay tied to each other. */
const mptcpTable: { readonly [Name in MptcpSysctlName]: Codec<MptcpSysctls[Name]> } = mptcpCodecs;

function mptcpCodec<Name extends MptcpSysctlName>(name: Name): Codec<MptcpSysctls[Name]> {
  return mptcpTable[name];
}
