import { bytesOfName, bytesOfText, nameOfBytes } from "../../../base/bytes.ts";
import { dumpLinks, getLink, type Link } from "../../../kernel/links.ts";
import type { NetlinkConnection } from "../../../kernel/netlink/connection.ts";
import { openRtnetlink } from "../../../kernel/rtnetlink.ts";
import { CommandError } from "./output.ts";

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

  /** Those that a typed word may mean. */
  async named(word: string): Promise<Link[]> {
    return linksNamed(word, (await dumpLinks(this.#connection)).items);
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
 * The interfaces that a typed word may mean, by name or alternative name: as the bytes that it has, and as a name that
 * was shown, in which "\xff" is a byte. Only where both are the names of interfaces are there two.
 */
export function linksNamed<L extends Named>(word: string, links: Iterable<L>): L[] {
  const meant = [nameOfBytes(bytesOfText(word)), nameOfBytes(bytesOfName(word))];
  return [...links].filter(
    ({ name, altNames }) => meant.includes(name) || altNames.some((alt) => meant.includes(alt)),
  );
}

type Named = { readonly name: string; readonly altNames: readonly string[] };

export function ambiguous(word: string, what: string, one: Named, other: Named): CommandError {
  const names = `the interface ${one.name} or ${other.name}`;
  return new CommandError("EAMBIGUOUS", `cannot ${what}: ${word} may be ${names}: rename one of them`);
}

/**
 * The index of an interface that a command names.
 *
 * @param what completes "cannot …"
 */
export async function indexOf(name: string, what: string): Promise<number> {
  const interfaces = Interfaces.open();
  try {
    const [link, other] = await interfaces.named(name);
    if (link === undefined)
      throw new CommandError("ENODEV", `cannot ${what}: there is no interface ${name} (ENODEV)`);
    if (other !== undefined) throw ambiguous(name, what, link, other);
    return link.index;
  } finally {
    interfaces.close();
  }
}

/** As ll_index_to_name() of iproute2 calls an interface that is gone. */
export function unnamed(index: number): string {
  return `if${index}`;
}
