/** The refusals of the kernel's path manager, by name. No other file reads the path manager's words. */
import { KernelError } from "./netlink/errors.ts";

interface Sign {
  readonly refusal: string;
  readonly code: string;
  /** Where an errno stands for several refusals: the words of the extended ack that tell them apart. */
  readonly words?: RegExp;
}

/**
 * How each refusal shows (net/mptcp/pm_kernel.c and pm_userspace.c; pm_netlink.c in older kernels). Some words differ
 * between versions of Linux. Linux 6.1 refuses new flags, of a subflow or an endpoint that is not there, as EINVAL
 * without words: that has no name here.
 */
const signs = [
  /** No connection has the token: it has ended. */
  { refusal: "no-such-connection", code: "EINVAL", words: /invalid token/ },
  /** The connection belongs to the kernel's own path manager, which takes no commands for it. */
  { refusal: "kernel-path-manager", code: "EINVAL", words: /userspace PM not selected/ },
  /**
   * To create a subflow: the connection is not established yet, or it is closing (subflow.c, __mptcp_subflow_connect).
   */
  { refusal: "not-established", code: "ENOTCONN" },
  /** In the connection's list of addresses, the address has another id or the id another address. */
  { refusal: "address-id-mismatch", code: "EINVAL", words: /did not match address and id/ },
  /** To withdraw an address: the connection's list has no such id. */
  { refusal: "no-such-address-id", code: "EINVAL", words: /address with .*id .*not found/ },
  /** The socket takes no subflows of this IP version, or the ends differ in it (pm.c, mptcp_pm_addr_families_match). */
  { refusal: "families-mismatch", code: "EINVAL", words: /families mismatch/ },
  { refusal: "no-such-subflow", code: "ESRCH" },
  { refusal: "no-such-endpoint", code: "EINVAL", words: /address not found/ },
  /** To add an endpoint: the kernel holds as many as it can. */
  { refusal: "no-slot", code: "ERANGE" },
  { refusal: "address-taken", code: "EEXIST" },
  { refusal: "id-taken", code: "EBUSY" },
  /** One of the three above: kernels before Linux 6.2 do not tell which. */
  { refusal: "no-slot-or-taken", code: "EINVAL", words: /too many addresses/ },
  { refusal: "limit-too-high", code: "EINVAL", words: /limit greater than maximum/ },
] as const satisfies readonly Sign[];

/** Why the kernel's path manager refused a command of MptcpPm. */
export type PmRefusal = (typeof signs)[number]["refusal"];

/**
 * The refusal that an error of a command of MptcpPm stands for. It depends on the errno and the words alone, so an
 * error that comes from another thread, or from a simulated kernel, stands for the same.
 *
 * @returns undefined for a refusal without a name, and for errors that are not the kernel's
 */
export function refusalOf(error: unknown): PmRefusal | undefined {
  if (!(error instanceof KernelError)) return undefined;
  const { code, extendedAck = "" } = error;
  const fits = (sign: Sign): boolean => sign.code === code && (sign.words?.test(extendedAck) ?? true);
  return signs.find(fits)?.refusal;
}

/** The maximum that the refusal of a limit names; older kernels name none. */
export function namedMaximum(error: unknown): number | undefined {
  if (!(error instanceof KernelError)) return undefined;
  const named = /maximum \((\d+)\)/.exec(error.extendedAck ?? "")?.[1];
  return named === undefined ? undefined : Number(named);
}
