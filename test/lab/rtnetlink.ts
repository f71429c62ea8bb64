import { after, afterEach, before, type TestContext } from "node:test";
import type { NetlinkConnection } from "../../src/kernel/netlink/connection.ts";
import type { NetlinkMessage } from "../../src/kernel/netlink/wire.ts";
import { openRtnetlink } from "../../src/kernel/rtnetlink.ts";
import type { Host } from "../../src/lab/kit/host.ts";
import { Lab } from "../../src/lab/kit/lab.ts";
import { waitFor } from "../../src/lab/kit/wait.ts";

/** This process' own network namespace, and a connection to its rtnetlink. */
export type Rtnetlink = {
  readonly here: Host;
  readonly connection: NetlinkConnection;
  /** Makes a veth pair v0, v1 that is up, and all that `lines` add to it; it is gone after the test. */
  setUp(...lines: readonly string[]): Promise<void>;
};

/** For the top of a `describe`: what it gives can be used in tests. */
export function useRtnetlink(): Rtnetlink {
  let open: { lab: Lab; here: Host; connection: NetlinkConnection } | undefined;
  const get = () => {
    if (!open) throw new Error("rtnetlink is there in tests only");
    return open;
  };
  before(async () => {
    const lab = await Lab.create();
    open = { lab, here: await lab.here(), connection: openRtnetlink() };
  });
  afterEach(async () => {
    for (const line of ["link delete v0", "link delete br0", "link delete ifb7"])
      await get()
        .here.ip(line)
        .catch(() => "");
  });
  after(async () => {
    const { lab, connection } = get();
    connection.close();
    await lab.close();
  });
  return {
    get here() {
      return get().here;
    },
    get connection() {
      return get().connection;
    },
    async setUp(...lines) {
      const { here } = get();
      await here.ipBatch(["link add v0 type veth peer name v1", "link set v0 up", "link set v1 up"]);
      // What the kernel does by itself when it tells of the carrier shall not mix with what the test does.
      for (const device of ["v0", "v1"])
        await waitFor(`${device} to be up`, () => here.ip(`addr show dev ${device}`), {
          until: (text) => text.includes(" state UP ") && text.includes(" fe80:"),
        });
      if (lines.length > 0) await here.ipBatch(lines);
    },
  };
}

/** Collects what `decode` makes of notifications; until() waits for one that fits. */
export function listen<T>(
  t: TestContext,
  wanted: readonly number[],
  decode: (message: NetlinkMessage) => T | undefined,
  filter?: Uint8Array,
  types = new Set<number>(),
) {
  const connection = openRtnetlink(filter === undefined ? {} : { filter });
  t.after(() => connection.close());
  const all: T[] = [];
  connection.subscribe(wanted, (message) => {
    types.add(message.type);
    const event = decode(message);
    if (event !== undefined) all.push(event);
  });
  return { all, until: (fits: (event: T) => boolean) => waitFor("a notification", () => all.some(fits)) };
}

/** What `ip -j` prints: rows of named fields. */
export type Row = ReadonlyMap<string, unknown>;

export async function ipJson(host: Host, line: string): Promise<Row[]> {
  return objects(JSON.parse(await host.ip(`-j ${line}`)));
}

export function object(value: unknown): Row {
  return new Map(typeof value === "object" && value !== null ? Object.entries(value) : []);
}

export function objects(value: unknown): Row[] {
  return Array.isArray(value) ? value.map(object) : [];
}

export function strings(value: unknown): string[] {
  return Array.isArray(value) ? value.map(String) : [];
}

export function sorted<T>(values: readonly T[]): T[] {
  return [...values].sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
}
