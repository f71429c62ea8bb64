import { messageOf } from "../../base/errors.ts";
import { type Daemon, type Lab, startDaemon, twoPaths } from "../kit/lab.ts";
import { now, Observer, type SeenEndpoint, type Sight } from "./observer.ts";
import {
  act,
  command,
  event,
  pathRateMbit,
  remark,
  type Screen,
  type Stage,
  tell,
  waiting,
} from "./stage.ts";
import { transferOverTwoPaths } from "./transfer.ts";

/** The whole tour, from empty namespaces to the daemon's stop. Throws if anything is not as told. */
export async function runTour(lab: Lab, screen: Screen, program: Stage["program"]): Promise<void> {
  screen.say(screen.bold("Multipath TCP, live: a client with two uplinks, and a server"), "");
  const { client, server, paths } = await twoPaths(lab, { rate: `${pathRateMbit}mbit` });
  screen.say(
    `  client  eth1 10.0.1.2 ━━━ ${pathRateMbit} Mbit/s ━━━ eth1 10.0.1.1  server`,
    `          eth2 10.0.2.2 ━━━ ${pathRateMbit} Mbit/s ━━━ eth2 10.0.2.1`,
    screen.dim("  Both are network namespaces of their own; every number below is measured in this run."),
  );
  const observer = await Observer.start(client, [...program, "watch"], ["eth1", "eth2"]);
  const stage: Stage = { screen, client, server, paths, observer, program };
  act(stage, 1, "mptcpd starts: every address becomes an endpoint");
  const start = command(stage, "mptcpd");
  const daemon = startDaemon(lab, client);
  try {
    await everyAddressIsServed(stage, daemon, start);
    await addressComesAndGoes(stage, daemon);
    await cableIsPulled(stage, daemon);
    await connectionOutlivesItsPath(stage);
    await daemonStops(stage, daemon);
  } catch (cause) {
    const reason = messageOf(cause);
    throw new Error(`${reason}\nmptcpd wrote:\n${daemon.output}`, { cause });
  }
}

async function everyAddressIsServed(stage: Stage, daemon: Daemon, start: number): Promise<void> {
  for (const address of ["10.0.1.2", "10.0.2.2", "fd00:1::2", "fd00:2::2"])
    await appears(stage, address, start);
  await daemon.waitForLine(/ready/);
}

async function addressComesAndGoes(stage: Stage, daemon: Daemon): Promise<void> {
  act(stage, 2, "An address comes and goes");
  const added = command(stage, "ip address add 10.0.1.77/24 dev eth1");
  await stage.client.ip("address add 10.0.1.77/24 dev eth1");
  await appears(stage, "10.0.1.77", added);
  const deleted = command(stage, "ip address delete 10.0.1.77/24 dev eth1");
  await stage.client.ip("address delete 10.0.1.77/24 dev eth1");
  await disappears(stage, daemon, "10.0.1.77", deleted);
  remark(stage, "It waits 2 s before it lets go: an address that is back by then has cost no connection.");
}

async function cableIsPulled(stage: Stage, daemon: Daemon): Promise<void> {
  act(stage, 3, "A cable is pulled, and plugged in again");
  const cut = event(stage, stage.screen.red("✂"), "the cable of eth2 is pulled");
  await stage.paths[1].cut();
  for (const address of ["10.0.2.2", "fd00:2::2"]) await disappears(stage, daemon, address, cut);
  const restored = event(stage, stage.screen.green("⚡"), "the cable of eth2 is back");
  await stage.paths[1].restore();
  for (const address of ["10.0.2.2", "fd00:2::2"]) await appears(stage, address, restored);
}

async function connectionOutlivesItsPath(stage: Stage): Promise<void> {
  act(stage, 4, "One connection on two paths, and one of them dies");
  await transferOverTwoPaths(stage, (text) => event(stage, stage.screen.red("✂"), text));
  const restored = event(stage, stage.screen.green("⚡"), "the cable of eth1 is back");
  await stage.paths[0].restore();
  for (const address of ["10.0.1.2", "fd00:1::2"]) await appears(stage, address, restored);
}

async function daemonStops(stage: Stage, daemon: Daemon): Promise<void> {
  act(stage, 5, "mptcpd stops, and the endpoints stay");
  const { endpoints: before } = latest(stage);
  const stopped = event(stage, "■", "mptcpd gets SIGTERM");
  const { code, signal } = await daemon.stop();
  if (code !== 0) throw new Error(`mptcpd ended with ${code ?? signal}`);
  const { endpoints } = latest(stage);
  if (endpoints.length !== before.length) throw new Error("endpoints went away with mptcpd");
  tell(stage, "=", `${endpoints.length} endpoints remain`, stopped, now());
  remark(stage, "They serve the host's connections until it shuts down, or until mptcpd adopts them again.");
}

function latest({ observer }: Stage): Sight {
  const sight = observer.latest;
  if (!sight) throw new Error("the kernel was not looked at");
  return sight;
}

async function appears(stage: Stage, address: string, since: number): Promise<void> {
  const seen = (sight: Sight) => sight.endpoints.some((endpoint) => endpoint.address === address);
  const sight = await waiting(stage, since, stage.observer.until(`an endpoint ${address}`, seen, since));
  const endpoint = sight.endpoints.find((candidate) => candidate.address === address);
  if (endpoint) tell(stage, stage.screen.green("+"), describe(stage, endpoint), since, sight.at);
}

async function disappears(stage: Stage, daemon: Daemon, address: string, since: number): Promise<void> {
  const gone = (sight: Sight) => !sight.endpoints.some((endpoint) => endpoint.address === address);
  const sight = await waiting(
    stage,
    since,
    stage.observer.until(`the end of endpoint ${address}`, gone, since),
  );
  const pattern = new RegExp(`${address.replaceAll(".", "\\.")} .*deleted, (.*)$`);
  const reason = (await daemon.waitForLine(pattern))[1] ?? "";
  tell(
    stage,
    stage.screen.red("-"),
    `endpoint ${address}  ${stage.screen.dim(`(${reason})`)}`,
    since,
    sight.at,
  );
}

function describe({ observer }: Stage, { address, ifIndex }: SeenEndpoint): string {
  return `endpoint ${address} dev ${observer.deviceOf(ifIndex)}`;
}
