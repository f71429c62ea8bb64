import type { IdentifiedAddress, IdKernel } from "../../../../src/control/connections/address-ids.ts";
import type { AnnouncingKernel } from "../../../../src/control/connections/announcements.ts";
import type { SubflowKernel } from "../../../../src/control/connections/subflows.ts";
import {
  type Endpoint,
  endpointFlags,
  type LocalEnd,
  type SubflowKey,
} from "../../../../src/kernel/mptcp-pm.ts";
import { KernelError, NetlinkError } from "../../../../src/kernel/netlink/errors.ts";
import { endOf } from "./builders.ts";

const EINVAL = 22;
const ESRCH = 3;

/** The commands for one connection, and its list of addresses with the rules of net/mptcp/pm_userspace.c. */
export class FakePathManager implements SubflowKernel, AnnouncingKernel, IdKernel {
  list: IdentifiedAddress[] = [];
  /** Since Linux 6.10. */
  showsList = true;
  /** Called before each command; throwing makes it fail. */
  beforeCommand: (command: string) => void | Promise<void> = () => undefined;
  /** The subflows that `destroySubflow` finds; undefined: all. */
  subflows: string[] | undefined;
  #commands: string[] = [];

  /** The commands since the last call. */
  commands(): string[] {
    return this.#commands.splice(0);
  }

  async createSubflow({
    local,
    remote,
    flags,
  }: Parameters<SubflowKernel["createSubflow"]>[0]): Promise<void> {
    const device = local.ifIndex === undefined ? "" : ` dev ${local.ifIndex}`;
    const backup = flags === undefined ? "" : ` ${flags}`;
    const ends = `${local.address} > ${shown(remote)}`;
    await this.#command(`create ${ends} id ${local.id}${device}${backup}`);
    this.#append("create subflow", local);
  }

  async destroySubflow({ local, remote }: SubflowKey): Promise<void> {
    const ends = `${shown(local)} > ${shown(remote)}`;
    await this.#command(`destroy ${ends}`);
    if (this.subflows?.includes(ends) === false) throw new KernelError("destroy subflow", ESRCH);
    this.list = this.list.filter((entry) => entry.address !== local.address);
  }

  async setSubflowFlags(change: Parameters<SubflowKernel["setSubflowFlags"]>[0]): Promise<void> {
    const { local, remote, flags } = change;
    await this.#command(`set ${shown(local)} > ${shown(remote)} ${flags.toString() || "plain"}`);
  }

  async announce({ ifIndex, ...local }: Parameters<AnnouncingKernel["announce"]>[0]): Promise<void> {
    const port = local.port === undefined ? "" : `:${local.port}`;
    const device = ifIndex === undefined ? "" : ` dev ${ifIndex}`;
    await this.#command(`announce ${local.address}${port} id ${local.id}${device}`);
    if (local.id === 0) throw refusal("announce", "invalid addr id or flags");
    this.#append("announce", local);
  }

  async remove({ id }: { readonly id: number }): Promise<void> {
    await this.#command(`remove ${id}`);
    if (!this.list.some((entry) => entry.id === id))
      throw refusal(`withdraw address id ${id}`, `address with id ${id} not found`);
    this.list = this.list.filter((entry) => entry.id !== id);
  }

  async dumpEndpoints(): Promise<Endpoint[]> {
    await this.#command("list");
    if (!this.showsList) throw new NetlinkError("EOPNOTSUPP", "this kernel does not list addresses");
    return this.list.map((entry) => ({ ...entry, flags: endpointFlags.of(), ifIndex: 0 }));
  }

  async #command(command: string): Promise<void> {
    this.#commands.push(command);
    await this.beforeCommand(command);
  }

  /** mptcp_userspace_pm_append_new_local_addr */
  #append(what: string, { address, port = 0, id = 0 }: LocalEnd): void {
    const entry = this.list.find((one) => (one.address === address && one.port === port) || one.id === id);
    if (entry === undefined) this.list.push({ address, port, id });
    else if (entry.address !== address || entry.port !== port || entry.id !== id)
      throw refusal(what, "did not match address and id");
  }
}

/** EINVAL with the kernel's words. */
export function refusal(what: string, message: string): KernelError {
  return new KernelError(what, EINVAL, { message });
}

function shown({ address, port = 0 }: { readonly address: string; readonly port?: number }): string {
  return endOf({ address, port });
}
