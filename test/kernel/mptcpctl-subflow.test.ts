import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Host } from "../../src/lab/kit/host.ts";
import { Lab, twoPaths } from "../../src/lab/kit/lab.ts";
import { requires } from "../../src/lab/kit/requires.ts";
import { startTraffic } from "../../src/lab/kit/traffic.ts";
import { waitFor, within } from "../../src/lab/kit/wait.ts";
import { managedConnection, type ShownSubflow, shownConnections } from "../lab/connections.ts";
import { ctl, monitorsListen, outcome, program, refuses, words } from "../lab/mptcpctl.ts";

/** How the only connection of a host has its subflow from or to an address. */
async function subflowOf(host: Host, address: string): Promise<ShownSubflow | undefined> {
  const [connection] = await shownConnections(host);
  return connection?.subflows.find(
    ({ local, remote }) => local.address === address || remote.address === address,
  );
}

/** "10.0.2.2 port 4000 to 10.0.1.1 port 80", as subflow destroy and subflow change take it. */
function endsIn(line: string): string {
  const ends = /^token [\da-f]{8} (\S+ port \d+ to \S+ port \d+) /.exec(line)?.[1];
  assert.ok(ends, line);
  return ends;
}

const families = [
  { name: "IPv4", server: "10.0.1.1", other: "10.0.2.2" },
  { name: "IPv6", server: "fd00:1::1", other: "fd00:2::2" },
  { name: "IPv4 over dual-stack sockets", server: "::ffff:10.0.1.1", other: "10.0.2.2" },
];

describe("mptcpctl subflow", { skip: requires() }, () => {
  for (const { name, server: address, other } of families)
    it(`creates, changes and destroys subflows, as the peer sees (${name})`, async (t) => {
      const { client, server, traffic, clients, servers } = await managedConnection(
        await Lab.create(t),
        address,
      );
      const plain = address.replace("::ffff:", "");
      const created = await ctl(client, `subflow create token ${clients} ${other} to ${address}`);
      assert.match(
        created,
        new RegExp(
          `^token ${clients} ${other} port \\d+ to ${plain} port ${traffic.port} id 1 established\n$`,
        ),
      );
      const ends = endsIn(created);
      // It waits until it is there, so nobody else has to.
      assert.equal((await subflowOf(client, other))?.state, "established");
      const atServer = () => subflowOf(server, other);
      await waitFor("the peer to have it", async () => (await atServer())?.remoteId === 1);

      const backup = (value: boolean) => ({ until: (found?: ShownSubflow) => found?.remoteBackup === value });
      assert.equal(await ctl(client, `subflow change token ${clients} ${ends} backup`), "");
      assert.equal((await subflowOf(client, other))?.localBackup, true);
      await waitFor("the peer to know", atServer, backup(true));
      await ctl(client, `subflow change token ${clients} ${ends} nobackup`);
      await waitFor("the peer to know", atServer, backup(false));
      const [from, to] = ends.split(" to ");
      await ctl(server, `subflow change token ${servers} ${to} to ${from} backup`);
      await waitFor("the client to know", () => subflowOf(client, other), backup(true));

      assert.equal(await ctl(client, `subflow destroy token ${clients} ${ends}`), "");
      assert.equal(await subflowOf(client, other), undefined);
      await waitFor("the peer to know", async () => (await atServer()) === undefined);
      await refuses(
        client,
        `subflow destroy token ${clients} ${ends}`,
        1,
        `cannot destroy subflow ${ends} of connection ${clients}: subflow not found (ESRCH)`,
      );
      await traffic.finish();
    });

  it("destroys the initial subflow too, by the addresses that people see", async (t) => {
    const { client, server, traffic, clients, servers } = await managedConnection(
      await Lab.create(t),
      "::ffff:10.0.1.1",
    );
    await ctl(client, `subflow create token ${clients} 10.0.2.2 to 10.0.1.1`);
    const initial = await subflowOf(server, "10.0.1.2");
    assert.ok(initial);
    const [local, remote] = [initial.local, initial.remote].map(
      ({ address, port }) => `${address} port ${port}`,
    );
    await ctl(server, `subflow destroy token ${servers} ${local} to ${remote}`);
    await waitFor("the client to lose it", async () => (await subflowOf(client, "10.0.1.2")) === undefined);
    await traffic.moves();
    await traffic.finish();
  });

  it("takes an id, an interface and backup, and prints what became of them", async (t) => {
    const { client, server, traffic, clients } = await managedConnection(await Lab.create(t));
    const create = `subflow create token 0x${clients} 10.0.2.2 id 42 dev eth2 to 10.0.1.1 port ${traffic.port} backup`;
    const [made, ...more] = JSON.parse(await ctl(client, `-j ${create}`));
    assert.deepEqual(more, []);
    assert.deepEqual(made, {
      token: clients,
      ...{
        local: { address: "10.0.2.2", port: made.local.port },
        remote: { address: "10.0.1.1", port: traffic.port },
      },
      ...{
        localId: 42,
        remoteId: 0,
        initial: false,
        interface: "eth2",
        ifIndex: await client.ifIndex("eth2"),
      },
      ...{ state: "established", localBackup: true, remoteBackup: false },
    });
    const seen = await waitFor("the peer to have it", () => subflowOf(server, "10.0.2.2"));
    assert.deepEqual([seen.remoteId, seen.remoteBackup], [42, true]);
    const again = await ctl(client, `subflow create token ${clients} 10.0.2.2 to 10.0.1.1`);
    assert.match(again, / id 42 established\n$/, "an address keeps its id");
    assert.equal(
      await ctl(client, `endpoint show token ${clients} id 42`),
      "10.0.2.2 id 42 subflow backup dev eth2 \n",
    );
    await traffic.finish();
  });

  it("says why there is none, in the kernel's words or the peer's", async (t) => {
    const { client, traffic, clients } = await managedConnection(await Lab.create(t));
    const create = `subflow create token ${clients} 10.0.2.2`;
    const what = (to: string, token = clients) =>
      `cannot create subflow 10.0.2.2 to ${to} of connection ${token}`;
    await refuses(
      client,
      "subflow create token 1 10.0.2.2 to 10.0.1.1",
      1,
      `${what("10.0.1.1", "00000001")}: invalid token (EINVAL)`,
    );
    await refuses(
      client,
      `${create} to 10.0.1.1 port 1`,
      1,
      `${what("10.0.1.1 port 1")}: the peer refuses (ECONNREFUSED)`,
    );
    await refuses(
      client,
      `subflow create token ${clients} 10.9.9.9 to 10.0.1.1`,
      1,
      /: connect error: -99 \(EADDRNOTAVAIL\)$/m,
    );
    await refuses(
      client,
      `${create} dev eth9 to 10.0.1.1`,
      1,
      `${what("10.0.1.1")}: there is no interface eth9 (ENODEV)`,
    );
    const before = performance.now();
    await refuses(
      client,
      `${create} to 10.0.77.1 --deadline 0.3`,
      1,
      `${what(`10.0.77.1 port ${traffic.port}`)}: the peer did not answer in 300 ms (ETIMEDOUT)`,
    );
    assert.ok(performance.now() - before < 5000);
    assert.equal((await shownConnections(client))[0]?.subflows.length, 1, "and nobody goes on to try");
    await refuses(client, `${create} id 7 to 10.0.1.1 --deadline 1s`, 2, /"1s" is not a deadline/);
    await refuses(client, `${create} to`, 2, /ADDRESS is missing after to/);
    await traffic.finish();
  });

  it("gives the kernel's word of connections that are not under a userspace path manager", async (t) => {
    const { client, server } = await twoPaths(await Lab.create(t));
    const traffic = await startTraffic({ from: client, to: server, address: "10.0.1.1", rate: 100_000 });
    const [connection] = await shownConnections(client);
    await refuses(
      client,
      `subflow create token ${connection?.token} 10.0.2.2 to 10.0.1.1`,
      1,
      /: userspace PM not selected \(EINVAL\)$/m,
    );
    await traffic.finish();
  });

  it("does not wait for the peer if it is told so", async (t) => {
    const { client, traffic, clients } = await managedConnection(await Lab.create(t));
    const line = await ctl(client, `subflow create token ${clients} 10.0.2.2 to 10.0.77.1 --no-wait`);
    assert.equal(line, `token ${clients} 10.0.2.2 to 10.0.77.1 port ${traffic.port} id 1 connecting\n`);
    const attempt = await subflowOf(client, "10.0.77.1");
    assert.equal(attempt?.state, "syn-sent");
    const { local, remote } = attempt;
    await ctl(
      client,
      `subflow destroy token ${clients} 10.0.2.2 port ${local.port} to 10.0.77.1 port ${remote.port}`,
    );
    assert.equal(await subflowOf(client, "10.0.77.1"), undefined);
    await traffic.finish();
  });
});

describe("mptcpctl announce, withdraw and listen", { skip: requires() }, () => {
  it("announces addresses, and takes them back, as the peer hears", async (t) => {
    const { client, server, traffic, clients, servers } = await managedConnection(await Lab.create(t));
    const monitor = server.spawn(program, ["monitor"]);
    await monitorsListen(server, 1);
    assert.equal(
      await ctl(client, `announce token ${clients} 10.0.2.2 id 9 port 5000 dev eth2`),
      "10.0.2.2 port 5000 id 9 signal dev eth2 \n",
    );
    await monitor.waitForLine(
      new RegExp(`ANNOUNCED\\] token=${servers} remid=9 daddr4=10\\.0\\.2\\.2 dport=5000$`),
    );
    const [object] = JSON.parse(await ctl(client, `-j announce token ${clients} fd00:2::2`));
    assert.deepEqual(object, { address: "fd00:2::2", id: 1, signal: true });
    await monitor.waitForLine(/ANNOUNCED\] token=\w+ remid=1 daddr6=fd00:2::2 /);
    assert.equal(
      await ctl(client, `endpoint show token ${clients}`),
      "10.0.2.2 port 5000 id 9 signal dev eth2 \nfd00:2::2 id 1 signal \n",
    );
    assert.equal(await ctl(client, `withdraw token ${clients} id 9`), "");
    await monitor.waitForLine(new RegExp(`REMOVED\\] token=${servers} remid=9$`));
    await refuses(
      client,
      `withdraw token ${clients} id 9`,
      1,
      /^mptcpctl: cannot withdraw address id 9 from connection \w+: .*not found \(EINVAL\)$/m,
    );
    await refuses(client, "withdraw token 1 id 9", 1, /: invalid token \(EINVAL\)$/m);
    await refuses(
      client,
      "announce token 1 10.0.2.2 id 9",
      1,
      "cannot announce 10.0.2.2 id 9 to connection 00000001: invalid token (EINVAL)",
    );
    await traffic.finish();
  });

  it("withdraws an address with the subflows that go from it", async (t) => {
    const { client, server, traffic, clients } = await managedConnection(await Lab.create(t));
    await ctl(client, `subflow create token ${clients} 10.0.2.2 id 3 to 10.0.1.1`);
    await ctl(client, `withdraw token ${clients} id 3`);
    assert.equal(await subflowOf(client, "10.0.2.2"), undefined);
    await waitFor("the peer to know", async () => (await subflowOf(server, "10.0.2.2")) === undefined);
    await traffic.finish();
  });

  it("holds a listening socket behind an announced address until a signal", async (t) => {
    const { client, server, traffic, clients, servers } = await managedConnection(await Lab.create(t));
    for (const signal of ["SIGTERM", "SIGINT"] as const) {
      const announce = `announce token ${servers} 10.0.2.1 id 5 port 0 listen`;
      const holder = server.spawn(program, words(announce));
      const [, port] = await holder.waitForLine(/^10\.0\.2\.1 port (\d+) id 5 signal $/);
      const created = await ctl(
        client,
        `subflow create token ${clients} 10.0.2.2 dev eth2 to 10.0.2.1 port ${port}`,
      );
      assert.match(created, new RegExp(` to 10\\.0\\.2\\.1 port ${port} id \\d+ dev eth2 established\n$`));
      assert.equal(holder.exit, undefined);
      holder.signal(signal);
      assert.deepEqual(await within("its end", holder.exited), { code: 0, signal: null });
      await refuses(
        client,
        `subflow create token ${clients} 10.0.2.2 to 10.0.2.1 port ${port}`,
        1,
        /the peer refuses \(ECONNREFUSED\)$/m,
      );
      await ctl(server, `withdraw token ${servers} id 5`);
    }
    await traffic.finish();
  });

  it("ends when the connection does that a listening socket was for", async (t) => {
    const { server, traffic, servers } = await managedConnection(await Lab.create(t));
    const holder = server.spawn(program, words(`announce token ${servers} 10.0.2.1 listen`));
    await holder.waitForLine(/^10\.0\.2\.1 id 1 signal $/);
    await traffic.finish();
    assert.deepEqual(await within("its end", holder.exited), { code: 0, signal: null });
  });

  it("listens for subflows until a signal", async (t) => {
    const { client, server, traffic, clients, servers } = await managedConnection(await Lab.create(t));
    const listener = server.spawn(program, ["listen", "10.0.2.1", "port", "0"]);
    const [, port] = await listener.waitForLine(/^listening on 10\.0\.2\.1 port (\d+)$/);
    // The kernel takes no join at another port than the connection's before it was announced.
    await ctl(server, `announce token ${servers} 10.0.2.1 port ${port}`);
    await ctl(client, `subflow create token ${clients} 10.0.2.2 to 10.0.2.1 port ${port}`);
    await refuses(
      server,
      `listen 10.0.2.1 port ${port}`,
      1,
      /listen on 10\.0\.2\.1 port \d+ \(mptcp\): .*EADDRINUSE/,
    );
    await refuses(server, "listen 10.9.9.9 port 80", 1, /EADDRNOTAVAIL/);
    listener.signal("SIGTERM");
    assert.deepEqual(await within("its end", listener.exited), { code: 0, signal: null });
    await traffic.moves();
    await traffic.finish();
  });

  it("says which privilege it lacks", async (t) => {
    const { client, traffic, clients } = await managedConnection(await Lab.create(t));
    for (const line of [
      `subflow create token ${clients} 10.0.2.2 to 10.0.1.1`,
      `subflow destroy token ${clients} 10.0.1.2 port 1 to 10.0.1.1 port 2`,
      `subflow change token ${clients} 10.0.1.2 port 1 to 10.0.1.1 port 2 backup`,
      `announce token ${clients} 10.0.2.2`,
      `withdraw token ${clients} id 1`,
    ]) {
      const without = ["--bounding-set=-net_admin", "--inh-caps=-net_admin"];
      const { code, stderr } = await outcome(client.run("setpriv", ...without, program, ...words(line)));
      assert.equal(code, 1, line);
      assert.match(
        stderr,
        /^mptcpctl: cannot .+: operation not permitted \(EPERM\); it takes CAP_NET_ADMIN .+\n$/,
      );
    }
    await traffic.finish();
  });
});
