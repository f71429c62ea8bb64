/** The facts that the order of addresses depends on. */
export interface Ranked {
  readonly address: string;
  readonly ifIndex: number;
  /** Lower is better. */
  readonly priority: number;
  /** Not the first address of its interface and family. Left out if that makes no difference. */
  readonly alias?: boolean;
  readonly hasDefaultRoute: boolean;
  readonly uniqueLocal: boolean;
  /** When the kernel created the address, 1/100 s since boot. */
  readonly created: number;
}

/** The facts that decide between addresses when there are fewer slots than addresses. */
export interface Contender extends Ranked {
  readonly alias: boolean;
  /** It is an endpoint of ours now. */
  readonly live: boolean;
}

/**
 * Orders contenders, best first: priority, first addresses before aliases, interfaces with a default route,
 * global before unique-local addresses, then order of appearance.
 */
export function compareContenders(a: Ranked, b: Ranked): number {
  return (
    a.priority - b.priority ||
    Number(a.alias ?? false) - Number(b.alias ?? false) ||
    Number(b.hasDefaultRoute) - Number(a.hasDefaultRoute) ||
    Number(a.uniqueLocal) - Number(b.uniqueLocal) ||
    a.created - b.created ||
    a.ifIndex - b.ifIndex ||
    (a.address < b.address ? -1 : 1)
  );
}

/**
 * Seats contenders in a number of slots. A live contender keeps its seat, because losing the seat breaks connections.
 * It gives way only to a better priority or, if it is an alias, to the first address of another interface.
 *
 * @param contenders in any order
 * @returns the contenders that have a seat
 */
export function seat<C extends Contender>(contenders: readonly C[], slots: number): Set<C> {
  if (contenders.length <= slots) return new Set(contenders);
  const ranked = [...contenders].sort(compareContenders);
  const seated = ranked.filter((contender) => contender.live).slice(0, Math.max(slots, 0));
  const waiting = ranked.filter((contender) => !seated.includes(contender));
  const free = Math.max(slots - seated.length, 0);
  seated.push(...waiting.slice(0, free));
  for (const candidate of waiting.slice(free)) {
    const loser = seated
      .filter((holder) => mustGiveWay(holder, candidate))
      .sort(compareContenders)
      .at(-1);
    if (loser) seated.splice(seated.indexOf(loser), 1, candidate);
  }
  return new Set(seated);
}

function mustGiveWay(holder: Contender, candidate: Contender): boolean {
  if (candidate.priority !== holder.priority) return candidate.priority < holder.priority;
  return holder.alias && !candidate.alias && holder.ifIndex !== candidate.ifIndex;
}
