import { bytesOfName, bytesOfText, nameOfBytes } from "../../../base/bytes.ts";
import { dumpLinks, getLink, type Link } from "../../../kernel/links.ts";
import type { NetlinkConnection } from "../../../kernel/netlink/connection.ts";
import { openRtnetlink } from "../../../kernel/rtnetlink.ts";
import { CommandError } from "./output.ts";

/** Finds the names of network interfaces by index, and interfaces by name. */
export class Interfaces {
  readonly #connection: NetlinkConnection;
  readonly #names = new Map<number, string>();

  static open(): Interfaces {
    return new Interfaces(openRtnetlink());
  }

  private constructor(connection: NetlinkConnection) {
    this.#connection = connection;
  }

  /** The current name of an interface; if it is gone, its last name; `if7` if it was never seen. */
  async nameOf(index: number): Promise<string> {
    const link = await getLink(this.#connection, index);
    if (link !== undefined) this.#names.set(index, link.name);
    return this.#names.get(index) ?? unnamed(index);
  }

  /** The interfaces that a typed word may mean. */
  async named(word: string): Promise<Link[]> {
    return linksNamed(word, (await dumpLinks(this.#connection)).items);
  }

  close(): void {
    this.#connection.close();
  }
}

/** The current names of these interfaces. Index 0 means no interface and is left out. */
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
 * The interfaces that a typed word may mean, by name or alternative name. The word is taken as plain bytes, and also as
 * an escaped name, in which "\xff" is one byte. There are two results only if both readings are names of interfaces.
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
  return new CommandError("EAMBIGUOUS", `cannot ${what}: ${word} may mean ${names}; rename one of them`);
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

/** The name that ll_index_to_name() of iproute2 gives to an interface that is gone. */
export function unnamed(index: number): string {
  return `if${index}`;
}
