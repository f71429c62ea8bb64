import type { MptcpPm } from "../../kernel/mptcp-pm.ts";
import { refusalOf } from "../../kernel/mptcp-pm-refusals.ts";
import { NetlinkError } from "../../kernel/netlink/errors.ts";
import { unmapped } from "../../kernel/netlink/ip.ts";
import { AddressIds } from "./address-ids.ts";
import type { Connection } from "./connection.ts";
import { tokenText } from "./connection.ts";
import { ConnectionError } from "./connection-error.ts";
import type { ConnectionRecord } from "./connection-record.ts";

export type IdKernel = Pick<MptcpPm, "remove" | "dumpEndpoints">;

/** The address ids of all connections that anything was asked for. They go with their connections. */
export class IdBook {
  readonly #kernel: IdKernel;
  readonly #ids = new WeakMap<Connection, AddressIds>();

  constructor(kernel: IdKernel) {
    this.#kernel = kernel;
  }

  /**
   * Gives a command the id of a local address: the one that is asked for, or else its own. The kernel may have given ids
   * by itself meanwhile (to an address that the peer joined) and then refuses ours: its list is read, and the command is
   * tried again, unless the id was asked for.
   *
   * @param what completes "cannot …"
   * @throws KernelError, or a ConnectionError (ENOSPC) where all ids are taken
   */
  async use<T>(
    connection: ConnectionRecord,
    place: { readonly address: string; readonly port: number; readonly id?: number | undefined },
    what: string,
    command: (id: number) => Promise<T>,
  ): Promise<T> {
    const ids = this.of(connection);
    const { address, port } = place;
    for (let attempt = 1; ; attempt++) {
      const isNew = ids.find(address, port) === undefined;
      const id = place.id ?? ids.take(address, port) ?? (await this.#makeRoom(connection, ids, place, what));
      try {
        const result = await command(id);
        if (place.id !== undefined) ids.learn([{ address, port, id }]);
        connection.pathManager = "userspace";
        return result;
      } catch (error) {
        if (isNew) ids.release(address, port);
        const refusal = refusalOf(error);
        if (refusal === "kernel-path-manager") connection.pathManager = "kernel";
        const isTaken = refusal === "address-id-mismatch";
        if (!isTaken || place.id !== undefined || attempt === ATTEMPTS) throw error;
        await this.#relearn(connection, ids, id);
      }
    }
  }

  of(connection: Connection): AddressIds {
    const known = this.#ids.get(connection);
    if (known !== undefined) return known;
    const ids = new AddressIds(connection);
    this.#ids.set(connection, ids);
    return ids;
  }

  async #relearn({ token }: Connection, ids: AddressIds, refused: number): Promise<void> {
    try {
      const list = await this.#kernel.dumpEndpoints(token);
      ids.learn(list.map(({ id, port, address }) => ({ id, port, address: unmapped(address) })));
    } catch (error) {
      if (!(error instanceof NetlinkError) || error.code !== "EOPNOTSUPP") throw error;
      ids.block(refused);
    }
  }

  /** Takes back the ids of addresses that no subflow goes from any more and that were not announced. */
  async #makeRoom(
    connection: Connection,
    ids: AddressIds,
    { address, port }: { readonly address: string; readonly port: number },
    what: string,
  ): Promise<number> {
    for (const unused of ids.unused(connection)) {
      // One that the kernel does not have is free as well.
      await this.#kernel.remove({ token: connection.token, id: unused.id }).catch(() => undefined);
      ids.release(unused.address, unused.port);
    }
    const id = ids.take(address, port);
    if (id !== undefined) return id;
    const reason = `all address ids of connection ${tokenText(connection.token)} are in use; withdraw an address first`;
    throw new ConnectionError(what, "ENOSPC", reason);
  }
}

/** The first, one after the kernel's list was read, and one more, as it may have changed since. */
const ATTEMPTS = 3;
