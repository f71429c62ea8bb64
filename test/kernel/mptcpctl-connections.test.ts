import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Lab, twoPaths } from "../../src/lab/kit/lab.ts";
import { requires } from "../../src/lab/kit/requires.ts";
import { addonOfCheckout, startTraffic } from "../../src/lab/kit/traffic.ts";
import { waitFor, within } from "../../src/lab/kit/wait.ts";
import { managedConnection, type ShownSubflow, shownConnections } from "../lab/connections.ts";
import { ctl, program, refuses } from "../lab/mptcpctl.ts";
import { kernelIsOlderThan } from "../lab/vm.ts";
import { sourceUrl } from "./in-host.ts";

const withoutNetAdmin = ["--bounding-set=-net_admin", "--inh-caps=-net_admin"] as const;

describe("mptcpctl connections", { skip: requires() }, () => {
  it("shows connections with their subflows, as each end has them", async (t) => {
    const lab = await Lab.create(t);
    const { client, server } = await twoPaths(lab);
    await client.ip("mptcp endpoint add 10.0.2.2 dev eth2 subflow backup id 5");
    const traffic = await startTraffic({ from: client, to: server, address: "10.0.1.1", rate: 200_000 });
    const twoSubflows = {
      until: (found: readonly { subflows: readonly { state: string }[] }[]) =>
        found[0]?.subflows.filter(({ state }) => state === "established").length === 2,
    };
    const [ours] = await waitFor("two subflows", () => shownConnections(client), twoSubflows);
    const [theirs] = await waitFor("two subflows", () => shownConnections(server), twoSubflows);
    assert.ok(ours && theirs);
    const port = traffic.port;
    const [first, second] = ours.subflows;
    assert.ok(first && second);

    assert.deepEqual(ends(ours), { ...ends(first), local: { address: "10.0.1.2", port: first.local.port } });
    assert.deepEqual(ends(ours), { local: theirs.remote, remote: theirs.local });
    assert.deepEqual([ours.serverSide, theirs.serverSide], [false, true]);
    assert.deepEqual([ours.state, ours.fallback], ["established", false]);
    const common = { state: "established", remoteId: 0, remoteBackup: false };
    assert.deepEqual(ours.subflows.map(withoutCounters), [
      {
        ...common,
        ...{ local: first.local, remote: { address: "10.0.1.1", port }, localId: 0, initial: true },
        ...{ interface: "eth1", ifIndex: 0, localBackup: false },
      },
      {
        ...common,
        ...{ local: { address: "10.0.2.2", port: second.local.port }, remote: { address: "10.0.1.1", port } },
        ...{ localId: 5, initial: false, localBackup: true },
        ...{ interface: "eth2", ifIndex: await client.ifIndex("eth2") },
      },
    ]);
    assert.ok(first.rtt > 0 && first.cwnd > 0 && first.bytesSent > 0, JSON.stringify(first));

    const swapped = theirs.subflows.map(({ local, remote, localId, remoteId, remoteBackup }) => ({
      ...{ local: remote, remote: local, localId: remoteId, remoteId: localId, localBackup: remoteBackup },
    }));
    assert.deepEqual(
      swapped,
      ours.subflows.map(({ local, remote, localId, remoteId, localBackup }) => ({
        ...{ local, remote, localId, remoteId, localBackup },
      })),
    );
    assert.ok(theirs.bytesReceived > 0);

    const text = await ctl(client, "connections");
    const [headline, titles, ...rows] = text.trimEnd().split("\n");
    assert.equal(
      headline,
      `connection ${ours.token}: 10.0.1.2 port ${first.local.port} to 10.0.1.1 port ${port}, established, client`,
    );
    assert.match(
      titles ?? "",
      /^ {2}LOCAL +ID +REMOTE +ID +INTERFACE +STATE +BACKUP +RTT +CWND +SENT +RECEIVED/,
    );
    assert.match(rows[0] ?? "", / 0 +10\.0\.1\.1 port \d+ +0 +eth1 +established +- +\d+\.\d\d ms +\d+ /);
    assert.match(rows[1] ?? "", / 5 +10\.0\.1\.1 port \d+ +0 +eth2 +established +us +/);
    assert.equal(rows.length, 2);
    const inTerminal = (columns: number) =>
      client.run("sh", "-c", `script -qec "stty cols ${columns}; '$0' connections" /dev/null`, program);
    const narrow = (await inTerminal(80)).split(/\r?\n/);
    assert.deepEqual(
      narrow.filter((line) => line.length > 80),
      [],
    );
    assert.ok(
      narrow.some((line) => / id 5 to 10\.0\.1\.1 port \d+ id 0$/.test(line)),
      narrow.join("\n"),
    );
    assert.match(await inTerminal(200), /^ {2}LOCAL +ID +REMOTE/m);
    await traffic.finish();
  });

  it("shows those that have a token or an address, of IPv6 and of dual-stack sockets too", async (t) => {
    const lab = await Lab.create(t);
    const { client, server } = await twoPaths(lab);
    const six = await startTraffic({ from: client, to: server, address: "fd00:1::1", rate: 100_000 });
    const mapped = await startTraffic({
      from: client,
      to: server,
      address: "::ffff:10.0.1.1",
      rate: 100_000,
    });
    const all = await shownConnections(client);
    assert.deepEqual(all.map(({ local }) => local.address).sort(), ["10.0.1.2", "fd00:1::2"]);
    const [one, other] = all;
    assert.ok(one && other);
    const remotes = async (words: string) =>
      (await shownConnections(client, words)).map(({ remote }) => remote.address);
    assert.deepEqual(await remotes("fd00:1::2"), ["fd00:1::1"]);
    assert.deepEqual(await remotes("FD00:1::0:1"), ["fd00:1::1"]);
    for (const address of ["10.0.1.1", "10.0.1.2", "::ffff:10.0.1.2"])
      assert.deepEqual(await remotes(address), ["10.0.1.1"]);
    for (const { token, remote } of all) assert.deepEqual(await remotes(token), [remote.address]);
    assert.equal((await ctl(client, "connections")).split("\n\n").length, 2, "an empty line between the two");
    assert.equal((await shownConnections(client, "fd00:1::1"))[0]?.subflows[0]?.interface, "eth1");
    await refuses(
      client,
      "connections 10.9.9.9",
      1,
      "cannot show connections of 10.9.9.9: there are none (ENOENT)",
    );
    await refuses(client, "connections 1", 1, "cannot show connection 00000001: there is none (ENOENT)");
    await refuses(client, "connections eth1", 2, /allowed: TOKEN or ADDRESS$/m);
    await six.finish();
    await mapped.finish();
    const idle = await lab.host("idle");
    const say = (line: string) => idle.run("sh", "-c", `"$0" ${line} 2>&1`, program);
    assert.equal(
      await say("connections"),
      "mptcpctl: there are no MPTCP connections in this network namespace\n",
    );
    assert.equal(await say("-j connections"), "[]\n");
  });

  it("says when a connection became plain TCP", async (t) => {
    const host = await (await Lab.create(t)).host("one");
    const both = `
      import { createServer, Socket } from "node:net";
      import { mptcpConnect, mptcpListen } from "${sourceUrl("kernel/native-sockets")}";
      const { fd, port } = mptcpListen({ address: "127.0.0.1", port: 0, protocol: "tcp" });
      createServer((socket) => socket.pipe(socket)).listen({ fd });
      const client = new Socket({ fd: await mptcpConnect({ address: "127.0.0.1", port }) });
      client.on("data", () => console.log("echoed")).write("x");`;
    const child = host.spawn(process.execPath, ["--input-type=module", "--eval", both], {
      env: addonOfCheckout(),
    });
    await child.waitForLine(/echoed/);
    const [connection, ...more] = await shownConnections(host);
    assert.deepEqual(more, []);
    assert.equal(connection?.fallback, true);
    assert.equal(connection.subflows[0]?.interface, "lo");
    assert.match(await ctl(host, "connections"), /, established.*, fallback to TCP\n/);
  });

  it("shows what there is without privilege, and says what the kernel does not tell", async (t) => {
    const { client, traffic } = await managedConnection(await Lab.create(t));
    const privileged = await shownConnections(client);
    const child = client.spawn("setpriv", [...withoutNetAdmin, program, "-j", "connections"]);
    assert.deepEqual(await within("its end", child.exited), { code: 0, signal: null });
    const [found] = JSON.parse(child.lines.find((line) => line.startsWith("[")) ?? "");
    const warnings = child.lines.filter((line) => !line.startsWith("["));
    assert.deepEqual(found.subflows.map(ends), privileged[0]?.subflows.map(ends));
    assert.equal(found.subflows[0].interface, "eth1");
    assert.ok(found.subflows[0].rtt > 0);
    if (kernelIsOlderThan("6.15")) {
      assert.equal(found.subflows[0].localId, undefined);
      assert.match(warnings.join("\n"), /^mptcpctl: without CAP_NET_ADMIN this kernel hides .+$/);
    } else {
      assert.equal(found.subflows[0].localId, 0);
      assert.deepEqual(warnings, []);
    }
    await traffic.finish();
  });
});

function ends({ local, remote }: Pick<ShownSubflow, "local" | "remote">) {
  return { local, remote };
}

function withoutCounters(subflow: ShownSubflow) {
  const { rtt, cwnd, bytesSent, bytesReceived, bytesRetransmitted, ...rest } = subflow;
  return rest;
}
