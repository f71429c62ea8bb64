import type { Host } from "../../src/lab/kit/host.ts";
import { type Lab, twoPaths } from "../../src/lab/kit/lab.ts";
import { startTraffic, type Traffic } from "../../src/lab/kit/traffic.ts";
import { waitFor } from "../../src/lab/kit/wait.ts";
import { ctl } from "./mptcpctl.ts";

/** What tests look at of `mptcpctl -j connections`. */
export type ShownConnection = {
  token: string;
  state: string;
  local: Place;
  remote: Place;
  serverSide: boolean | "unknown";
  fallback: boolean;
  bytesReceived: number;
  subflows: ShownSubflow[];
};

export type ShownSubflow = {
  local: Place;
  remote: Place;
  localId: number;
  remoteId: number;
  initial: boolean;
  interface?: string;
  ifIndex: number;
  state: string;
  localBackup: boolean;
  remoteBackup: boolean;
  rtt: number;
  cwnd: number;
  bytesSent: number;
  bytesReceived: number;
  bytesRetransmitted: number;
};

type Place = { address: string; port: number };

export async function shownConnections(host: Host, words = ""): Promise<ShownConnection[]> {
  return JSON.parse(await ctl(host, `-j connections ${words}`));
}

/** A connection under the userspace path managers of both ends, and how each end sees it. */
export type ManagedConnection = {
  client: Host;
  server: Host;
  traffic: Traffic;
  /** Tokens. */
  clients: string;
  servers: string;
};

/** Confirmed at both ends. `address` is the server's, of path 1: 10.0.1.1, ::ffff:10.0.1.1 or fd00:1::1. */
export async function managedConnection(lab: Lab, address = "10.0.1.1"): Promise<ManagedConnection> {
  const { client, server } = await twoPaths(lab);
  for (const host of [client, server]) await host.sysctl("net.mptcp.pm_type", 1);
  const traffic = await startTraffic({ from: client, to: server, address, rate: 100_000 });
  const tokenAt = (host: Host) =>
    waitFor("a connection", async () => {
      const [connection] = await shownConnections(host);
      return connection?.subflows.some(({ state }) => state === "established") && connection.token;
    });
  const [clients, servers] = [await tokenAt(client), await tokenAt(server)];
  return { client, server, traffic, clients, servers };
}
