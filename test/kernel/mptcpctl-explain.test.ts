import assert from "node:assert/strict";
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { describe, it } from "node:test";
import type { Host } from "../../src/lab/kit/host.ts";
import { Lab, startDaemon } from "../../src/lab/kit/lab.ts";
import { requires } from "../../src/lab/kit/requires.ts";
import { eventually, within } from "../../src/lab/kit/wait.ts";
import { ctl, hostWithTwoInterfaces, outcome, program, refuses } from "../lab/mptcpctl.ts";
import { PluginDirectory, plugin } from "../lab/plugin-directory.ts";

describe("mptcpctl explain", { skip: requires() }, () => {
  it("says of every address what becomes of it, and why", async (t) => {
    const lab = await Lab.create(t);
    const host = await hostWithTwoInterfaces(lab, "one");
    await host.ip("addr add 198.51.100.1/32 dev lo");
    await host.ip("link add docker0 type bridge");
    await host.ip("addr add 172.17.0.1/16 dev docker0");
    await host.ip("link set docker0 up");
    await host.ip("mptcp endpoint add 10.0.2.2 signal id 9");
    const directory = `--runtime-dir=${lab.freshPath("runtime")}`;
    const text = await ctl(host, `explain ${directory}`);
    const rows = text.split("\n").map((line) => line.split(/ {2,}/));
    const row = (address: string) => rows.find(([first]) => first === address)?.slice(1);
    assert.deepEqual(rows[0], ["ADDRESS", "INTERFACE", "ENDPOINT", "OUTCOME", "REASON"]);
    assert.deepEqual(row("10.0.1.2")?.slice(0, 3), ["eth1", "-", "endpoint"]);
    assert.deepEqual(row("10.0.2.2")?.slice(0, 3), ["eth2", "9 signal", "served"]);
    assert.match(row("10.0.2.2")?.[3] ?? "", /endpoint 9/);
    assert.deepEqual(row("198.51.100.1")?.slice(0, 3), ["lo", "-", "unusable"]);
    assert.deepEqual(row("172.17.0.1")?.slice(0, 3), ["docker0", "-", "unusable"]);
    const one: unknown = JSON.parse(await ctl(host, `-j explain 10.0.2.2 ${directory}`));
    assert.ok(Array.isArray(one));
    assert.deepEqual(
      one.map(({ address, dev, outcome, code, id, signal, owner }) => [
        address,
        dev,
        outcome,
        code,
        id,
        signal,
        owner,
      ]),
      [["10.0.2.2", "eth2", "served", "foreign-endpoint", 9, true, "other"]],
    );
    const ofInterface: unknown = JSON.parse(await ctl(host, `-j explain eth1 ${directory}`));
    assert.ok(Array.isArray(ofInterface));
    assert.deepEqual(new Set(ofInterface.map(({ dev }) => dev)), new Set(["eth1"]));
    await refuses(host, "explain 10.9.9.9", 1, "cannot explain 10.9.9.9: no interface has this address");
    await refuses(host, "explain eth9", 1, /no such interface/);
    await refuses(host, "explain --config=", 2, "--config is empty: give a path, or leave it out");
    await refuses(host, "explain --runtime-dir=", 2, "--runtime-dir is empty: give a path, or leave it out");
    await refuses(host, "explain --netns=", 2, "--netns is empty: give a name or a path, or leave it out");
  });

  it("goes by the configuration that is named", async (t) => {
    const lab = await Lab.create(t);
    const host = await hostWithTwoInterfaces(lab, "one");
    const file = lab.freshPath("mptcpd.conf");
    writeFileSync(file, "[path no]\nmatch-interface=eth1\nignore=yes\n", { mode: 0o644 });
    const line = `explain 10.0.1.2 --config ${file} --runtime-dir ${lab.freshPath("runtime")}`;
    assert.match(await ctl(host, line), /^10\.0\.1\.2 +eth1 +- +unusable +.*\[path no\]/m);
    writeFileSync(file, "[path no]\nignor=yes\nmax=x\n");
    const { code, stderr } = await outcome(ctl(host, line));
    assert.equal(code, 1);
    assert.deepEqual(
      stderr.split("\n").map((fault) => fault.slice(0, `mptcpctl: ${file}:2:`.length)),
      [`mptcpctl: ${file}:2:`, `mptcpctl: ${file}:3:`, ""],
    );
  });

  it("goes by what the path managers of a running mptcpd want, and says where none tells", async (t) => {
    const lab = await Lab.create(t);
    const host = await hostWithTwoInterfaces(lab, "one");
    const endpoints = `network.addresses
      .filter(({ address }) => address === "10.0.2.2")
      .map((address) => ({ address, flags: ["subflow", "backup"] }))`;
    const text = plugin("second", "", `endpoints: (network) => ${endpoints},`);
    const config = new PluginDirectory(lab, { "second.js": text }).config("path-manager=second");
    const daemon = startDaemon(lab, host, { config });
    await eventually("its wish is fulfilled", async () =>
      assert.deepEqual(await host.endpointAddresses(), ["10.0.2.2"]),
    );
    const line = `explain --config ${daemon.configFile} --runtime-dir ${daemon.runtimeDirectory}`;
    const running = await ctl(host, line);
    assert.match(running, /^10\.0\.1\.2 +eth1 +- +unusable +second does not want it$/m);
    assert.match(running, /^10\.0\.2\.2 +eth2 +1 subflow,backup +endpoint /m);
    await daemon.stop();
    const child = host.spawn(program, line.split(" "));
    await within("its end", child.exited);
    assert.match(child.output, /^mptcpctl: no running mptcpd tells what its path managers want; /m);
    assert.match(child.output, /^10\.0\.1\.2 +eth1 +- +endpoint /m);
  });

  it("says nothing to whom mptcpd's records are closed", { skip: requires({ root: true }) }, async (t) => {
    const lab = await Lab.create(t);
    const host = await hostWithTwoInterfaces(lab, "one");
    const daemon = startDaemon(lab, host);
    await eventually("its endpoints", async () => assert.equal((await host.endpoints()).length, 4));
    const asNobody = ["--reuid=65534", "--regid=65534", "--clear-groups", program];
    const explain = (directory: string, ...more: string[]) =>
      outcome(host.run("setpriv", ...asNobody, "explain", ...more, "--runtime-dir", directory));
    const directory = daemon.runtimeDirectory;
    const readable = await explain(directory);
    assert.match(readable.stdout, /^10\.0\.1\.2 +eth1 +\d subflow +endpoint +usable$/m);
    chmodSync(directory, 0o700);
    const stderr = `mptcpctl: cannot tell which endpoints belong to mptcpd: no permission to read ${directory}; run it as root\n`;
    for (const more of [[], ["-j"], ["10.0.1.2"]])
      assert.deepEqual(await explain(directory, ...more), { code: 1, stdout: "", stderr });
    const empty = lab.freshPath("empty");
    mkdirSync(empty, { mode: 0o755 });
    assert.match(
      (await explain(empty)).stdout,
      /\(not made by mptcpd\) already covers it; `mptcpctl adopt \S+` takes it over$/m,
      "nothing is recorded there",
    );
    await daemon.stop();
  });

  it("says what makes every endpoint useless", async (t) => {
    const lab = await Lab.create(t);
    const host = await lab.host("one");
    await host.sysctl("net.mptcp.enabled", 0);
    await host.sysctl("net.mptcp.pm_type", 1);
    const child = host.spawn(program, ["explain", "--runtime-dir", lab.freshPath("runtime")]);
    await within("its end", child.exited);
    assert.match(child.output, /^mptcpctl: net\.mptcp\.enabled is 0/m);
    assert.match(child.output, /^mptcpctl: net\.mptcp\.path_manager is userspace/m);
  });
});

describe("mptcpctl adopt", { skip: requires() }, () => {
  const owners = async (host: Host, directory: string) => {
    const rows: unknown = JSON.parse(await ctl(host, `-j explain ${directory}`));
    assert.ok(Array.isArray(rows));
    return Object.fromEntries(rows.flatMap(({ address, owner }) => (owner ? [[address, owner]] : [])));
  };

  it("hands endpoints to the ledger of a daemon that does not run", async (t) => {
    const lab = await Lab.create(t);
    const host = await hostWithTwoInterfaces(lab, "one");
    await host.ip("mptcp endpoint add 10.0.1.2 dev eth1 subflow");
    await host.ip("mptcp endpoint add 10.0.2.2 dev eth2 subflow");
    const directory = `--runtime-dir=${lab.freshPath("runtime")}`;
    assert.deepEqual(await owners(host, directory), { "10.0.1.2": "other", "10.0.2.2": "other" });
    assert.equal(await ctl(host, `adopt 10.0.1.2 ${directory}`), "10.0.1.2 id 1: adopted\n");
    assert.deepEqual(await owners(host, directory), { "10.0.1.2": "mptcpd", "10.0.2.2": "other" });
    assert.equal(await ctl(host, `adopt --all ${directory}`), "10.0.2.2 id 2: adopted\n");
    assert.equal(await ctl(host, `adopt --all ${directory}`), "nothing to adopt: mptcpd has them already\n");
    assert.deepEqual(await owners(host, directory), { "10.0.1.2": "mptcpd", "10.0.2.2": "mptcpd" });
    assert.deepEqual(await host.endpointAddresses(), ["10.0.1.2", "10.0.2.2"]);
  });

  it("has a running daemon take them", async (t) => {
    const lab = await Lab.create(t);
    const host = await hostWithTwoInterfaces(lab, "one");
    await host.ip("mptcp endpoint add 10.0.1.2 dev eth1 subflow id 77");
    const daemon = startDaemon(lab, host);
    await eventually("the other address is an endpoint", async () =>
      assert.deepEqual(await host.endpointAddresses().then((all) => all.includes("10.0.2.2")), true),
    );
    const directory = `--runtime-dir=${daemon.runtimeDirectory}`;
    assert.equal((await owners(host, directory))["10.0.1.2"], "other");
    assert.equal(await ctl(host, `adopt 10.0.1.2 ${directory}`), "10.0.1.2 id 77: adopted\n");
    assert.equal((await owners(host, directory))["10.0.1.2"], "mptcpd");
    await daemon.stop();
  });

  it("takes endpoints that there are, and no others", async (t) => {
    const lab = await Lab.create(t);
    const host = await lab.host("one");
    const directory = `--runtime-dir=${lab.freshPath("runtime")}`;
    await refuses(host, `adopt 10.0.1.2 ${directory}`, 1, /cannot adopt 10\.0\.1\.2: it is not an endpoint/);
    await refuses(host, `adopt ${directory}`, 2, "adopt: give either ADDRESS or --all");
    await refuses(
      host,
      `adopt eth1 ${directory}`,
      2,
      'adopt: "eth1" is not an address; allowed: ADDRESS..., --all',
    );
  });
});
