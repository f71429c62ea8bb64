/** Addresses in a report: as they are, or each under a name that stands for it wherever it occurs. */
import ipaddr from "ipaddr.js";
import { canonicalIp, ipBytes, ipFamily, ipText } from "../../kernel/netlink/ip.ts";

/**
 * `mask` hides addresses that identify this host and its peers: public addresses and hardware addresses, also those
 * within IPv6 addresses (EUI-64, RFC 4291, appendix A). `mask-all` also hides private and link-local addresses.
 */
export const addressModes = ["mask", "mask-all", "keep"] as const;
export type AddressMode = (typeof addressModes)[number];

type Network = { readonly number: number; readonly hosts: Map<string, number> };

/**
 * Masks the addresses of one report. An address has one name throughout: "public4-2.1" is host 1 in the second IPv4
 * network (a /24; of IPv6 a /64) that was met, and "public4-2.0" that network itself. Who shares a network still shows.
 */
export class AddressMask {
  readonly #mode: AddressMode;
  /** By "public4" and the like, then by the network's address. */
  readonly #networks = new Map<string, Map<string, Network>>();
  readonly #hardware = new Map<string, number>();

  constructor(mode: AddressMode) {
    this.#mode = mode;
  }

  /** A text with every address in it masked, whatever stands around them. */
  apply(text: string): string {
    if (this.#mode === "keep") return text;
    return text
      .replace(hardwareAddress, (address) => this.#hardwareName(address))
      .replace(hardwareName, (_, prefix: string, digits: string) => `${prefix}-${this.#hardwareName(digits)}`)
      .replace(addressLike, (run: string, offset: number, all: string) =>
        this.#run(run, /\w/.test(all.charAt(offset - 1))),
      );
  }

  /** The same for tables: columns stay where they were, as far as there is room. */
  applyToTable(text: string): string {
    return text
      .split("\n")
      .map((line) => this.#applyToRow(line))
      .join("\n");
  }

  #applyToRow(line: string): string {
    let shift = 0;
    const parts = line.split(/( {2,})/);
    return parts
      .map((part, index) => {
        if (index % 2 === 0) {
          const masked = this.apply(part);
          shift += masked.length - part.length;
          return masked;
        }
        const width = Math.max(2, part.length - shift);
        shift += width - part.length;
        return " ".repeat(width);
      })
      .join("");
  }

  /** A run of hexadecimal digits, dots and colons: "10.0.0.1.", "10.0.0.1:80", "2001:db8::1:", "12:30". */
  #run(run: string, isInWord: boolean): string {
    for (const [start, end] of trims(run, isInWord)) {
      const address = canonicalIp(run.slice(start, end));
      const name = address === undefined ? undefined : this.#name(address);
      // It is not certain where in a word an address begins: rather hide too much.
      if (name === undefined || (isInWord && name === address)) continue;
      return run.slice(0, start) + name + run.slice(end);
    }
    return run.replace(dottedQuad, (quad) => (canonicalIp(quad) === undefined ? quad : this.#name(quad)));
  }

  #name(address: string): string {
    const [, prefix, quad] = /^(::(?:ffff:)?)(\d+\.\d+\.\d+\.\d+)$/.exec(address) ?? [];
    if (prefix !== undefined && quad !== undefined) return prefix + this.#name(quad);
    const kind = kinds.get(ipaddr.parse(address).range()) ?? "public";
    const isHidden =
      kind === "public" || isEui64(address) || (this.#mode === "mask-all" && kind !== "nobody");
    return isHidden ? this.#numbered(address, `${kind}${ipFamily(address)}`) : address;
  }

  #numbered(address: string, kind: string): string {
    const bytes = ipBytes(address);
    const isNetwork = bytes.subarray(networkBytes(bytes)).every((byte) => byte === 0);
    const base = ipText(bytes.map((byte, index) => (index < networkBytes(bytes) ? byte : 0)));
    const networks = upsert(this.#networks, kind, () => new Map<string, Network>());
    const { number, hosts } = upsert(networks, base, () => ({ number: networks.size + 1, hosts: new Map() }));
    return `${kind}-${number}.${isNetwork ? 0 : upsert(hosts, address, () => hosts.size + 1)}`;
  }

  #hardwareName(address: string): string {
    const digits = address.replace(/[:-]/g, "").toLowerCase();
    // Loopback's, and broadcast.
    if (/^(0+|f+)$/.test(digits)) return address;
    return `mac-${upsert(this.#hardware, digits, () => this.#hardware.size + 1)}`;
  }
}

/** What the ranges of ipaddr.js are called here; all others are public. "nobody" has no address that tells anything. */
const kinds: ReadonlyMap<string, string> = new Map([
  ...["private", "uniqueLocal", "carrierGradeNat"].map((range) => [range, "private"] as const),
  ...["linkLocal", "deprecatedSiteLocal"].map((range) => [range, "local"] as const),
  // "reserved" are addresses of documentation, of benchmarks, and those that were never given to anybody.
  ...["unspecified", "loopback", "multicast", "broadcast", "reserved", "benchmarking", "discard"].map(
    (range) => [range, "nobody"] as const,
  ),
]);

/** Of Ethernet (6 bytes), and longer ones such as InfiniBand's. */
const hardwareAddress = /(?<![\w:-])[\da-f]{2}(?:([:-])[\da-f]{2})(?:\1[\da-f]{2}){4,}(?![\w:-])/gi;
/** As udev names interfaces by it (systemd.net-naming-scheme(7)): enx001122334455. */
const hardwareName = /\b(enx|wlx|wwx|slx|ibx)([\da-f]{12})\b/g;
const addressLike = /[\da-f]*[.:][\da-f.:]+/gi;
const dottedQuad = /(?<!\d)\d{1,3}(?:\.\d{1,3}){3}(?!\d)/g;

/**
 * What may be the address in a run: with dots and colons at its ends, or without. Where the run begins in the midst of
 * a word ("via:2a00::1"), what is before its first colon belongs to that.
 */
function trims(run: string, isInWord: boolean): [start: number, end: number][] {
  const ends = [run.length, run.replace(/[.:]$/, "").length, run.replace(/[.:]+$/, "").length];
  const starts = [0, /^[.:]/.test(run) ? 1 : 0, run.indexOf(":") + 1];
  const ordered = isInWord ? starts.toReversed() : starts;
  return ordered.flatMap((start) => ends.map((end): [number, number] => [start, end]));
}

/** Whether an IPv6 address was made of a hardware address, which has "ff:fe" in its midst then. */
function isEui64(address: string): boolean {
  const bytes = ipBytes(address);
  return bytes.length === 16 && bytes[11] === 0xff && bytes[12] === 0xfe;
}

function networkBytes({ length }: Uint8Array): number {
  return length === 4 ? 3 : 8;
}

function upsert<Key, Value>(map: Map<Key, Value>, key: Key, make: () => Value): Value {
  const known = map.get(key);
  if (known !== undefined) return known;
  const made = make();
  map.set(key, made);
  return made;
}
