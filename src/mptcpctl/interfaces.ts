import { dumpLinks, getLink } from "../kernel/links.ts";
import { openRtnetlink } from "../kernel/rtnetlink.ts";
import type { NetlinkConnection } from "../netlink/connection.ts";
import { CommandError } from "./exit.ts";

/** Names of network interfaces for their indexes, and the other way round. */
export class Interfaces {
  readonly #connection: NetlinkConnection;
  readonly #names = new Map<number, string>();

  static open(): Interfaces {
    return new Interfaces(openRtnetlink());
  }

  private constructor(connection: NetlinkConnection) {
    this.#connection = connection;
  }

  /** The name that an interface has now, or had when it was last seen; `if7` if it never was. */
  async nameOf(index: number): Promise<string> {
    const link = await getLink(this.#connection, index);
    if (link !== undefined) this.#names.set(index, link.name);
    return this.#names.get(index) ?? unnamed(index);
  }

  /** The index of the interface with this name or alternative name. */
  async indexOf(name: string): Promise<number | undefined> {
    const { items } = await dumpLinks(this.#connection);
    return items.find((link) => link.name === name || link.altNames.includes(name))?.index;
  }

  close(): void {
    this.#connection.close();
  }
}

/** The current names of these interfaces; 0, which is none, is left out. */
export async function namesOf(indexes: readonly number[]): Promise<Map<number, string>> {
  const names = new Map<number, string>();
  const wanted = new Set(indexes.filter((index) => index !== 0));
  if (wanted.size === 0) return names;
  const interfaces = Interfaces.open();
  try {
    for (const index of wanted) names.set(index, await interfaces.nameOf(index));
    return names;
  } finally {
    interfaces.close();
  }
}

/**
 * The index of an interface that a command names.
 *
 * @param what completes "cannot …"
 */
export async function indexOf(name: string, what: string): Promise<number> {
  const interfaces = Interfaces.open();
  try {
    const index = await interfaces.indexOf(name);
    if (index !== undefined) return index;
    throw new CommandError("ENODEV", `cannot ${what}: there is no interface ${name} (ENODEV)`);
  } finally {
    interfaces.close();
  }
}

/** As ll_index_to_name() of iproute2 calls an interface that is gone. */
export function unnamed(index: number): string {
  return `if${index}`;
}
