import type { Host } from "./host.ts";
import type { Lab } from "./lab.ts";
import type { Cable } from "./link.ts";

export type TwoPaths = {
  client: Host;
  server: Host;
  /** Path i joins the client's interface `eth<i>` (10.0.<i>.2, fd00:<i>::2) to the server's (10.0.<i>.1, fd00:<i>::1). */
  paths: readonly [Cable, Cable];
};

/**
 * A client with two uplinks and a server on both. The client routes by source address, as a multihomed host must; the
 * server answers on the link that the packet came by. Default routes: by path 1, and by path 2 with a worse metric.
 */
export async function twoPaths(lab: Lab, { rate }: { rate?: string } = {}): Promise<TwoPaths> {
  const client = await lab.host("client");
  const server = await lab.host("server");
  const path = (i: number) =>
    lab.link({
      a: [client, `eth${i}`, `10.0.${i}.2/24`, `fd00:${i}::2/64`],
      b: [server, `eth${i}`, `10.0.${i}.1/24`, `fd00:${i}::1/64`],
      ...(rate === undefined ? {} : { rate }),
    });
  const paths = [await path(1), await path(2)] as const;
  // ip -batch takes no family, and `rule add` guesses none.
  const uplinks = [1, 2].flatMap(addressing);
  for (const { family, me, i } of uplinks) await client.ip(`${family} rule add from ${me} table ${i}`);
  await client.ipBatch(uplinks.flatMap(routes));
  return { client, server, paths };
}

type Uplink = { i: number; family: "-4" | "-6"; me: string; subnet: string; gateway: string };

function addressing(i: number): Uplink[] {
  return [
    { i, family: "-4", me: `10.0.${i}.2`, subnet: `10.0.${i}.0/24`, gateway: `10.0.${i}.1` },
    { i, family: "-6", me: `fd00:${i}::2`, subnet: `fd00:${i}::/64`, gateway: `fd00:${i}::1` },
  ];
}

function routes({ i, subnet, gateway }: Uplink): string[] {
  return [
    `route add ${subnet} dev eth${i} table ${i}`,
    `route add default via ${gateway} dev eth${i} table ${i}`,
    `route add default via ${gateway} dev eth${i} metric ${i * 10}`,
  ];
}
