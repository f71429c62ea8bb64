/** The network namespace's links, addresses, routes, rules and counters, and firewall rules that affect MPTCP. */

import { CommandError } from "../../base/command-line/command-error.ts";
import { table } from "../../base/command-line/terminal.ts";
import { type Address, dumpAddresses } from "../../kernel/addresses.ts";
import { type Counters, readCounters } from "../../kernel/counters.ts";
import { dumpLinks, type Link } from "../../kernel/links.ts";
import type { NetlinkConnection } from "../../kernel/netlink/connection.ts";
import { withHops } from "../../kernel/next-hops.ts";
import { dumpRoutes, type Route } from "../../kernel/routes.ts";
import { openRtnetlink } from "../../kernel/rtnetlink.ts";
import { dumpRules } from "../../kernel/rules.ts";
import { routeLine, ruleLine } from "./routing-format.ts";
import { askTool, type Section } from "./section.ts";

/** More than anybody reads. Default routes are listed in any case. */
const mostRoutes = 500;

export const linksSection: Section = {
  name: "links",
  title: "network interfaces",
  gather: () =>
    withRtnetlink(async (connection) => {
      const { items, interrupted } = await dumpLinks(connection);
      const names = namesOf(items);
      const rows = items.map((link) => [
        ...[String(link.index), link.name, link.kind ?? "-", link.operState, String(link.mtu ?? "-")],
        ...[link.master === 0 ? "-" : nameOf(link.master, names), String(link.carrierUpCount ?? "-")],
        ...[link.flags.toString() || "-", link.altNames.join(",") || "-"],
      ]);
      return {
        text: table([linkTitles, ...rows]),
        data: items,
        notes: notesOn(interrupted),
      };
    }),
};

const linkTitles = ["INDEX", "NAME", "KIND", "STATE", "MTU", "MASTER", "CARRIERS", "FLAGS", "ALSO"];

export const addressesSection: Section = {
  name: "addresses",
  title: "addresses of the interfaces",
  gather: () =>
    withRtnetlink(async (connection) => {
      const names = namesOf((await dumpLinks(connection)).items);
      const { items, interrupted } = await dumpAddresses(connection);
      const rows = items.map((address) => [
        ...[nameOf(address.ifIndex, names), `${address.address}/${address.prefixLength}`],
        ...[address.peer ?? "-", scopes.get(address.scope) ?? String(address.scope)],
        ...[address.flags.toString() || "-", lifetimes(address)],
      ]);
      return {
        text: table([["INTERFACE", "ADDRESS", "PEER", "SCOPE", "FLAGS", "VALID/PREFERRED"], ...rows]),
        // JSON has no Infinity: a lifetime that never ends is null.
        data: items.map((address) => ({ dev: nameOf(address.ifIndex, names), ...address })),
        notes: notesOn(interrupted),
      };
    }),
};

export const routesSection: Section = {
  name: "routes",
  title: `routes of all tables but the kernel's own for local addresses, at most ${mostRoutes} of IPv4 and of IPv6`,
  gather: () =>
    withRtnetlink(async (connection) => {
      const names = namesOf((await dumpLinks(connection)).items);
      const routes: Route[] = [];
      let [isInterrupted, isCut] = [false, false];
      for (const family of [4, 6] as const) {
        // A dump that was disturbed begins anew: what counts is which routes there are.
        const known = new Set<string>();
        const accepts = (route: Route): boolean => {
          if (route.table === localTable) return false;
          const key = `${route.table} ${route.destination}/${route.prefixLength} ${route.metric}`;
          if (route.prefixLength === 0 || known.has(key)) return true;
          if (known.size < mostRoutes) return known.add(key).has(key);
          isCut = true;
          return false;
        };
        const { items, interrupted } = await dumpRoutes(connection, { family, accepts });
        routes.push(...(await withHops(connection, items)));
        isInterrupted ||= interrupted;
      }
      return {
        text: routes.map((route) => `${routeLine(route, (index) => nameOf(index, names))}\n`).join(""),
        data: routes,
        notes: [...notesOn(isInterrupted), ...(isCut ? [`there are more than ${mostRoutes} routes`] : [])],
      };
    }),
};

/** RT_TABLE_LOCAL */
const localTable = 255;

export const rulesSection: Section = {
  name: "rules",
  title: "routing rules: which routing table is used for which packets",
  gather: () =>
    withRtnetlink(async (connection) => {
      const ipv4 = await dumpRules(connection, 4);
      const ipv6 = await dumpRules(connection, 6);
      const rules = [...ipv4.items, ...ipv6.items];
      return {
        text: rules.map((rule) => `${ruleLine(rule)}\n`).join(""),
        data: rules,
        notes: notesOn(ipv4.interrupted || ipv6.interrupted),
      };
    }),
};

async function withRtnetlink<T>(use: (connection: NetlinkConnection) => Promise<T>): Promise<T> {
  const connection = openRtnetlink();
  try {
    return await use(connection);
  } finally {
    connection.close();
  }
}

function namesOf(links: readonly Link[]): ReadonlyMap<number, string> {
  return new Map(links.map(({ index, name }) => [index, name]));
}

function nameOf(index: number, names: ReadonlyMap<number, string>): string {
  return names.get(index) ?? `if${index}`;
}

/** RT_SCOPE_* */
const scopes: ReadonlyMap<number, string> = new Map([
  [0, "global"],
  [200, "site"],
  [253, "link"],
  [254, "host"],
]);

function lifetimes({ validLifetime, preferredLifetime }: Address): string {
  const text = (seconds: number) => (seconds === Number.POSITIVE_INFINITY ? "forever" : `${seconds}s`);
  return `${text(validLifetime)}/${text(preferredLifetime)}`;
}

function notesOn(interrupted: boolean): string[] {
  return interrupted ? ["the list changed while it was read: entries may be missing"] : [];
}

export const countersSection: Section = {
  name: "counters",
  title: "MPTCP's and TCP's counters of this network namespace that are not 0",
  gather() {
    const all: Counters = new Map([...readCounters("netstat"), ...readCounters("snmp")]);
    const groups = ["MPTcpExt", "TcpExt", "Tcp"].map((group): [string, [string, bigint][]] => [
      group,
      [...(all.get(group) ?? [])].filter(([, value]) => value !== 0n),
    ]);
    const lines = groups.flatMap(([group, counters]) =>
      counters.map(([name, value]) => `${`${group}${name}`.padEnd(40)} ${value}\n`),
    );
    return {
      text: lines.join(""),
      data: Object.fromEntries(groups.map(([group, counters]) => [group, Object.fromEntries(counters)])),
      notes: all.has("MPTcpExt") ? [] : ["this kernel has no counters of MPTCP: it has no MPTCP"],
    };
  },
};

/** Rules that change TCP options keep MPTCP from working. The rest of a firewall stays private. */
export const firewallSection: Section = {
  name: "firewall",
  title: "nftables rules that name MPTCP or an option of TCP",
  async gather() {
    const { stdout } = await nftables();
    let [table, chain] = ["", ""];
    const found: { table: string; chain: string; rule: string }[] = [];
    for (const line of stdout.split("\n").map((text) => text.trim())) {
      table = /^table (.+) \{/.exec(line)?.[1] ?? table;
      chain = /^chain (.+) \{/.exec(line)?.[1] ?? chain;
      // A comment is free text.
      const rule = line.replace(/ comment "[^"]*"/, "");
      if (/\bmptcp\b|\btcp option\b/.test(rule)) found.push({ table, chain, rule });
    }
    return {
      text: found.map(({ table, chain, rule }) => `${table} ${chain}: ${rule}\n`).join(""),
      data: found,
    };
  },
};

async function nftables(): Promise<{ readonly stdout: string }> {
  if (process.geteuid?.() !== 0) throw new CommandError("EPERM", "only root can list nftables rules");
  return askTool("nft", ["list", "ruleset"]);
}
