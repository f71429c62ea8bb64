import assert from "node:assert/strict";
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { release } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { tokenText } from "../../src/control/connections/connection.ts";
import type { Host } from "../../src/lab/kit/host.ts";
import { Lab, startDaemon, twoPaths } from "../../src/lab/kit/lab.ts";
import type { LabProcess } from "../../src/lab/kit/lab-process.ts";
import { waitForCarrierLoss } from "../../src/lab/kit/link.ts";
import { requires } from "../../src/lab/kit/requires.ts";
import { addonOfCheckout, startTraffic } from "../../src/lab/kit/traffic.ts";
import { waitFor, within } from "../../src/lab/kit/wait.ts";
import { type Recording, readRecording } from "../../src/path-managers/simulation/recording.ts";
import { managedConnection, shownConnections } from "../lab/connections.ts";
import { ctl, outcome, program, refuses } from "../lab/mptcpctl.ts";
import { inHost } from "./in-host.ts";

function read(file: string): Promise<Recording> {
  return readRecording(readFileSync(file, "utf8").match(/[^\n]+/g) ?? [], file);
}

/** Starts a recorder that has the connections that there are when this resolves. */
async function record(host: Host, file: string): Promise<LabProcess> {
  const recorder = host.spawn(program, ["record", file]);
  await waitFor(
    "the beginning of a recording",
    () => statSync(file).size > 0 && /"connections":/.test(readFileSync(file, "utf8")),
  );
  return recorder;
}

/** Events of a recording, "subflowEstablished 10.0.2.2". */
function eventsIn({ items }: Recording): string[] {
  return items.flatMap((item) => {
    if (!("event" in item)) return [];
    const { event } = item;
    return "localAddress" in event ? `${event.event} ${event.localAddress}` : event.event;
  });
}

/** Connections that come and go, by another process; resolves when all have. */
async function storm(host: Host, connections: number): Promise<void> {
  const main = join(import.meta.dirname, "../lab/connection-storm.js");
  await host.run("env", ...addonWords(), process.execPath, main, String(connections));
}

/** Twice as many events, by one process. */
async function manyListeners(host: Host, count: number): Promise<void> {
  const imports = { mptcpListen: "kernel/native-sockets" };
  const listen = `const { fd } = mptcpListen({ address: "127.0.0.1", port: 0 }); closeSync(fd);`;
  const close = `const { closeSync } = await import("node:fs");`;
  await inHost(host, imports, `${close} for (let i = 0; i < ${count}; i++) { ${listen} } say("done");`);
}

function addonWords(): string[] {
  return Object.entries(addonOfCheckout()).map(([name, value]) => `${name}=${value}`);
}

describe("mptcpctl record", { skip: requires() }, () => {
  it("writes what a path manager would have heard, which replay gives to one", async (t) => {
    const lab = await Lab.create(t);
    const { client, server, paths } = await twoPaths(lab);
    for (const host of [client, server]) await host.sysctl("net.mptcp.pm_type", 1);
    const address = "10.0.1.1";
    const before = await startTraffic({ from: client, to: server, address, rate: 100_000 });
    const file = lab.freshPath("recording");
    const recorder = await record(client, file);
    const traffic = await startTraffic({ from: client, to: server, address, rate: 100_000 });
    const [older, newer] = await waitFor(
      "both connections",
      async () => {
        const found = await shownConnections(client);
        return [before, traffic].map(({ port }) => found.find(({ remote }) => remote.port === port)?.token);
      },
      { until: (tokens) => tokens.every((token) => token !== undefined) },
    );
    await ctl(client, `subflow create token ${newer} 10.0.2.2 to 10.0.1.1`);
    await paths[1].cut();
    await waitForCarrierLoss(client, "eth2");
    await traffic.finish();
    await before.finish();
    await waitFor("both ends", () => readFileSync(file, "utf8").split('"event":"closed"').length === 3);
    assert.deepEqual(await recorder.stop(), { code: 0, signal: null });
    assert.equal(recorder.output, "");

    const recording = await read(file);
    assert.equal(recording.isWhole, true);
    assert.equal(recording.header.kernel, release());
    const [network, connections] = recording.items;
    assert.ok(network && "network" in network && connections && "connections" in connections);
    assert.deepEqual(
      network.network.addresses.filter(({ scope }) => scope === 0).map((one) => one.address),
      ["10.0.1.2", "10.0.2.2", "fd00:1::2", "fd00:2::2"],
    );
    assert.deepEqual(
      connections.connections.map(({ token, subflows }) => [tokenText(token), subflows.length]),
      [[older, 1]],
    );
    assert.deepEqual(eventsIn(recording), [
      ...["created 10.0.1.2", "established 10.0.1.2", "subflowEstablished 10.0.2.2", "closed", "closed"],
    ]);
    const last = recording.items.findLast((item) => "network" in item);
    assert.ok(last && "network" in last && last !== network);
    const eth2 = [...last.network.links.values()].find(({ name }) => name === "eth2");
    assert.equal(eth2?.flags.has("lowerUp"), false);

    const replayed = await ctl(client, `replay ${file} --plugin fullmesh`);
    // It would withdraw the address of eth2 two seconds later; the recording may be as long as that.
    const commands = replayed.split("\n").filter((line) => line.includes("subflow create"));
    const create = (token: string | undefined, { port }: { port: number }) =>
      new RegExp(
        `^\\[ +\\d+\\.\\d{3}\\] subflow create token ${token} 10\\.0\\.2\\.2 id 1 dev eth2 to 10\\.0\\.1\\.1 port ${port}$`,
      );
    assert.equal(commands.length, 2, commands.join("\n"));
    assert.match(commands[0] ?? "", create(older, before));
    assert.match(commands[1] ?? "", create(newer, traffic));
    const objects = (await ctl(client, `-j replay ${file} --plugin fullmesh`)).trimEnd().split("\n");
    assert.deepEqual(
      objects.slice(0, 2).map((line) => JSON.parse(line).token),
      [older, newer],
    );
    // Nothing of it happens on this host: it takes no privilege, nor a kernel with these connections.
    const elsewhere = await lab.host("elsewhere");
    const text = await elsewhere.run(
      "setpriv",
      "--bounding-set=-all",
      "--inh-caps=-all",
      program,
      "replay",
      file,
      "--plugin",
      "fullmesh",
    );
    assert.equal(text, replayed);
  });

  it("leaves a file that can be used when it is killed in the midst of a storm", async (t) => {
    const lab = await Lab.create(t);
    const host = await lab.host("one");
    const file = lab.freshPath("recording");
    const recorder = await record(host, file);
    const stormy = storm(host, 1500);
    await waitFor("much to be recorded", () => statSync(file).size > 300_000);
    await recorder.kill();
    await stormy;
    const recording = await read(file);
    assert.equal(recording.isWhole, false);
    assert.ok(eventsIn(recording).length > 1000);
    const { code, stderr } = await outcome(ctl(host, `replay ${file} --plugin fullmesh`));
    assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
    const replayed = host.spawn(program, ["replay", file, "--plugin", "fullmesh"]);
    await replayed.waitForLine(/^mptcpctl: .+ has no end: the recorder was killed, or is still running$/);
    assert.deepEqual(await within("its end", replayed.exited), { code: 0, signal: null });
  });

  it("misses nothing of a storm, and hears of what comes and goes meanwhile", async (t) => {
    const lab = await Lab.create(t);
    const host = await lab.host("one");
    const file = lab.freshPath("recording");
    const recorder = await record(host, file);
    await storm(host, 1000);
    // The last sockets end by themselves, after the process that had them.
    await waitFor("all ends", () => readFileSync(file, "utf8").split('"event":"closed"').length === 2001);
    await recorder.stop();
    const events = eventsIn(await read(file));
    const count = (name: string) => events.filter((event) => event.startsWith(name)).length;
    // Each connection has two ends here.
    assert.deepEqual([count("created"), count("established"), count("closed")], [2000, 2000, 2000]);
    assert.equal(recorder.output, "");
  });

  it("writes that events were lost, when they came faster than they could be read, and the connections anew", async (t) => {
    const lab = await Lab.create(t);
    const { client, traffic, clients } = await managedConnection(lab);
    const file = lab.freshPath("recording");
    const recorder = await record(client, file);
    recorder.signal("SIGSTOP");
    await manyListeners(client, 60_000);
    recorder.signal("SIGCONT");
    await recorder.waitForLine(/^mptcpctl: events were lost: /, { deadlineMs: 20_000 });
    await waitFor("the connections", () => readFileSync(file, "utf8").split('"connections":').length === 3, {
      deadlineMs: 20_000,
    });
    const memory = Number(
      /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${recorder.pid}/status`, "utf8"))?.[1],
    );
    assert.ok(memory < 400_000, `${memory} kB`);
    await recorder.stop();
    const { items } = await read(file);
    const at = items.findIndex((item) => "overrun" in item);
    assert.ok(at > 0);
    const again = items.slice(at).find((item) => "connections" in item);
    assert.ok(again && "connections" in again);
    assert.deepEqual(
      again.connections.map(({ token }) => tokenText(token)),
      [clients],
    );
    assert.equal((await outcome(ctl(client, `replay ${file} --plugin fullmesh`))).code, 0);
    await traffic.finish();
  });

  it("writes to standard output, and goes in peace when nobody reads it any more", async (t) => {
    const host = await (await Lab.create(t)).host("one");
    const pipe = host.spawn("sh", ["-c", `timeout 20 "$1" record - | head -n 3; echo closed`, "sh", program]);
    await pipe.waitForLine(/"connections":\[\]/);
    const listen = "const { fd } = mptcpListen({ address: '127.0.0.1', port: 0 }); say(fd > 0);";
    for (let i = 0; i < 2; i++) await inHost(host, { mptcpListen: "kernel/native-sockets" }, listen);
    assert.deepEqual(await within("its end", pipe.exited), { code: 0, signal: null });
    assert.match(pipe.lines[0] ?? "", /^\{"recording":"mptcpd","version":1,/);
    assert.deepEqual(pipe.lines.slice(3), ["closed"]);
  });

  it("keeps little for who does not read, and makes up for what that one has missed", async (t) => {
    const lab = await Lab.create(t);
    const host = await lab.host("one");
    const [pipe, gate] = [lab.freshPath("pipe"), lab.freshPath("gate")];
    await host.run("mkfifo", pipe, gate);
    const script = `{ read -r first; echo "$first"; cat "$3"; cat; } <"$2" & exec "$1" record - >"$2"`;
    const both = host.spawn("sh", ["-c", script, "sh", program, pipe, gate]);
    await both.waitForLine(/^\{"recording"/);
    await manyListeners(host, 60_000);
    writeFileSync(gate, "");
    await both.waitForLine(/^mptcpctl: events were lost: they came faster than they could be written$/, {
      deadlineMs: 20_000,
    });
    await both.waitForLine(/"overrun":true/);
    const from = both.lines.findIndex((line) => line.includes('"overrun":true'));
    await both.waitForLine(/"connections":\[\]/, { from });
    assert.ok(both.lines.length < 100_000, `${both.lines.length} lines`);
    assert.deepEqual(await both.stop(), { code: 0, signal: null });
  });

  it("says why it cannot record", async (t) => {
    const lab = await Lab.create(t);
    const host = await lab.host("one");
    await refuses(host, "record", 2, /give one FILE, or - for standard output/);
    await refuses(host, "record a b", 2, /give one FILE/);
    await refuses(
      host,
      "record /nowhere/x",
      1,
      /^mptcpctl: cannot write \/nowhere\/x: ENOENT: no such file or directory/m,
    );
    await refuses(
      host,
      "record /dev/full",
      1,
      /^mptcpctl: cannot write \/dev\/full: ENOSPC: no space left on device/m,
    );
    const file = lab.freshPath("kept");
    writeFileSync(file, "what was there");
    const without = ["--bounding-set=-net_admin", "--inh-caps=-net_admin"];
    const { code, stderr } = await outcome(host.run("setpriv", ...without, program, "record", file));
    assert.equal(code, 1);
    assert.match(
      stderr,
      /^mptcpctl: cannot watch events: operation not permitted \(EPERM\); it takes CAP_NET_ADMIN .+\n$/,
    );
    assert.equal(readFileSync(file, "utf8"), "what was there");
  });
});

describe("a recording of a path manager at work", { skip: requires() }, () => {
  it("has the same path manager give the commands again that it gave, and no others", async (t) => {
    const lab = await Lab.create(t);
    const { client, server } = await twoPaths(lab);
    await server.sysctl("net.mptcp.pm_type", 1);
    const file = lab.freshPath("recording");
    const config = "[core]\npath-manager=fullmesh\nload-plugins=fullmesh\n";
    const daemon = startDaemon(lab, client, { config });
    await waitFor("fullmesh to be in charge", async () => (await client.sysctl("net.mptcp.pm_type")) === "1");
    const recorder = await record(client, file);
    const traffic = await startTraffic({ from: client, to: server, address: "10.0.1.1", rate: 100_000 });
    const subflows = (count: number) =>
      waitFor("its subflows", async () => (await shownConnections(client))[0]?.subflows ?? [], {
        until: (found) => found.filter(({ state }) => state === "established").length === count,
      });
    await subflows(2);
    const [{ token = "" } = {}] = await shownConnections(server);
    const holder = server.spawn(program, ["announce", "token", token, "10.0.2.1", "listen"]);
    const made = (await subflows(4)).filter(({ initial }) => !initial);
    await traffic.finish();
    await holder.exited;
    await waitFor("the end", () => readFileSync(file, "utf8").includes('"event":"closed"'));
    await recorder.stop();
    assert.equal(daemon.exit, undefined, daemon.output);

    const lines = (await ctl(client, `replay ${file} --plugin fullmesh`)).trimEnd().split("\n");
    const target = (address: string) => `${address} port ${traffic.port}`;
    assert.deepEqual(
      lines.map((line) => line.replace(/^.* token [\da-f]+ /, "")).sort(),
      made
        .map(
          ({ local, localId, remote, interface: dev }) =>
            `${local.address} id ${localId} dev ${dev} to ${target(remote.address)}`,
        )
        .sort(),
    );
    assert.equal(made.length, 3);
  });
});
