import assert from "node:assert/strict";
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { release } from "node:os";
import { dirname, join } from "node:path";
import { describe, it } from "node:test";
import type { Host } from "../../src/lab/kit/host.ts";
import { Lab, startDaemon, twoPaths } from "../../src/lab/kit/lab.ts";
import { requires } from "../../src/lab/kit/requires.ts";
import { startTraffic } from "../../src/lab/kit/traffic.ts";
import { eventually, within } from "../../src/lab/kit/wait.ts";
import { hostWithTwoInterfaces, outcome, program, refuses, words } from "../lab/mptcpctl.ts";

const nowhere = "--runtime-dir=/nowhere";

/** The report of a host on standard output; `before` is what runs it. */
function report(host: Host, line = "", before: readonly string[] = []): Promise<string> {
  const [first = program, ...rest] = [...before, program];
  return host.run(first, ...rest, "report", "--output=-", ...words(line));
}

/** What stands under a headline. */
function section(text: string, name: string): string {
  const [, after = ""] = text.split(`\n=== ${name}: `);
  return after.slice(after.indexOf("\n") + 1).split("\n\n=== ")[0] ?? "";
}

function notesIn(text: string): string[] {
  return [...text.matchAll(/^- (.+)$/gm)].map(([, note = ""]) => note);
}

/** A directory with these programs for the PATH, each a shell script; those of the system come after it if `others`. */
function tools(lab: Lab, scripts: Readonly<Record<string, string>>): string {
  const directory = lab.freshPath("tools");
  mkdirSync(directory);
  for (const [name, script] of Object.entries(scripts))
    writeFileSync(join(directory, name), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  return directory;
}

const { PATH = "" } = process.env;
const withTools = (directory: string) => ["env", `PATH=${directory}:${PATH}`];

describe("mptcpctl report", { skip: requires() }, () => {
  it("has the kernel, mptcpd, the network and the connections", async (t) => {
    const lab = await Lab.create(t);
    const { client, server } = await twoPaths(lab);
    const daemon = startDaemon(lab, client, { config: "[core]\nremoval-delay=7\n" });
    await eventually("its endpoints", async () => assert.equal((await client.endpoints()).length, 4));
    await client.ip("rule add fwmark 0x5/0xff table 77");
    await client.sysctl("net.ipv4.conf.eth1.rp_filter", 2);
    const traffic = await startTraffic({ from: client, to: server, address: "10.0.1.1", rate: 100_000 });
    const line = `--addresses=keep --config=${daemon.configFile} --runtime-dir=${daemon.runtimeDirectory}`;
    const text = await report(client, line);
    assert.match(section(text, "kernel"), new RegExp(`^release +${release()}$`, "m"));
    assert.match(section(text, "processes"), /^\d+ .* yes .*the mptcpd of this network namespace$/m);
    assert.equal(section(text, "configuration"), "[core]\nremoval-delay=7");
    assert.match(
      section(text, "state"),
      /^endpoints: \[\{"id":1,"address":"10\.0\.1\.2".*"flags":"subflow"/m,
    );
    assert.match(section(text, "state"), /^0600 +\d+ +\d+ +\S+ +netns-\d+\.lock$/m);
    assert.match(section(text, "endpoints"), /^10\.0\.2\.2 id \d subflow dev eth2 $/m);
    assert.match(section(text, "limits"), /^add_addr_accepted \d+ subflows \d+ $/m);
    assert.match(section(text, "explain"), /^10\.0\.1\.2 +eth1 +1 subflow +endpoint +usable$/m);
    assert.match(
      section(text, "connections"),
      /^connection [\da-f]{8}: 10\.0\.1\.2 port \d+ to 10\.0\.1\.1 /m,
    );
    assert.match(section(text, "connections"), /^ {2}subflows:\d .*bytesUnacknowledged:\d+$/m);
    assert.match(section(text, "counters"), /^MPTcpExtMPCapableSYNTX +1$/m);
    assert.match(section(text, "sysctls"), /^net\.mptcp\.enabled = 1$/m);
    assert.match(section(text, "sysctls"), /^net\.ipv4\.conf\.eth1\.rp_filter = 2$/m);
    assert.doesNotMatch(text, /net\.ipv4\.conf\.eth2\.rp_filter/, "as by default");
    assert.match(section(text, "links"), /^\d+ +eth1 +veth +up /m);
    assert.match(
      section(text, "addresses"),
      /^eth1 +10\.0\.1\.2\/24 +- +global +permanent +forever\/forever$/m,
    );
    assert.match(section(text, "routes"), /^default via 10\.0\.2\.1 dev eth2 proto boot metric 20$/m);
    assert.match(section(text, "routes"), /^default via 10\.0\.1\.1 dev eth1 table 1 proto boot$/m);
    assert.match(section(text, "rules"), /^\d+: from all fwmark 0x5\/0xff lookup 77$/m);
    assert.match(section(text, "rules"), /^\d+: \(IPv6\) from fd00:1::2\/128 lookup 1$/m);
    assert.match(
      section(await report(server, nowhere), "listeners"),
      /^10\.0\.1\.1 port \d+: user \d+, 0 of/m,
    );
    const json: unknown = JSON.parse(await report(client, `-j ${line}`));
    assert.ok(json instanceof Object && "sections" in json && json.sections instanceof Object);
    const headlines = [...text.matchAll(/^=== (\w+): /gm)].map(([, name]) => name);
    assert.deepEqual(Object.keys(json.sections), headlines);
    const { connections, endpoints, unit } = Object.fromEntries(Object.entries(json.sections));
    assert.deepEqual([connections.length, endpoints.length, unit], [1, 4, null]);
    await traffic.finish();
    await daemon.stop();
  });

  it("says without mptcpd that there is none, and reports the rest", async (t) => {
    const host = await hostWithTwoInterfaces(await Lab.create(t), "one");
    const text = await report(host, nowhere);
    assert.match(section(text, "processes"), /^None of them runs\.$/m);
    assert.match(section(text, "state"), /^There is no such directory: mptcpd has not run /);
    assert.match(section(text, "explain"), /^10\.0\.1\.2 +eth1 +- +endpoint +usable$/m);
    assert.match(section(text, "log"), /^\(none\)$/m);
  });

  it("takes no privilege, and says what is missing without", async (t) => {
    const lab = await Lab.create(t);
    const { client, server } = await twoPaths(lab);
    await client.ip("mptcp endpoint add 10.0.2.2 dev eth2 subflow");
    const traffic = await startTraffic({ from: client, to: server, address: "10.0.1.1", rate: 100_000 });
    const text = await report(client, nowhere, ["setpriv", "--bounding-set=-all", "--inh-caps=-all"]);
    assert.match(text, /^Made by mptcpctl .* without CAP_NET_ADMIN\.$/m);
    assert.equal(section(text, "endpoints"), "10.0.2.2 id 1 subflow dev eth2 ");
    assert.match(
      section(text, "connections"),
      /^connection [\da-f]{8}: 10\.0\.1\.2 port \d+ to 10\.0\.1\.1 /m,
    );
    assert.match(section(text, "rules"), /lookup main$/m);
    await traffic.finish();
  });

  it("says as another user what cannot be read", { skip: requires({ root: true }) }, async (t) => {
    const lab = await Lab.create(t);
    const host = await lab.host("one");
    const [file, directory] = [lab.freshPath("mptcpd.conf"), lab.freshPath("runtime")];
    writeFileSync(file, "[core]\n", { mode: 0o600 });
    mkdirSync(directory, { mode: 0o700 });
    const asNobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
    const text = await report(host, `--config=${file} --runtime-dir=${directory}`, asNobody);
    const notes = notesIn(text);
    const has = (pattern: RegExp) =>
      assert.ok(
        notes.some((note) => pattern.test(note)),
        notes.join("\n"),
      );
    has(/^configuration: .*mptcpd\.conf: cannot be read: permission denied/);
    has(/^state: the directory cannot be listed: EACCES/);
    has(/^explain: mptcpd's configuration has faults: see the section about it$/);
    has(/^firewall: only root can list nftables rules$/);
    assert.match(section(text, "limits"), /^add_addr_accepted/);
    const into = ["report", `--output=${directory}/x`];
    const { code, stderr } = await outcome(
      host.run(asNobody[0] ?? "", ...asNobody.slice(1), program, ...into),
    );
    assert.equal(code, 1);
    assert.match(
      stderr,
      /^mptcpctl: cannot write the report to .*: you may not write to its directory; .*\n$/,
    );
  });

  it("is of one shape, whatever the owner of the runtime directory has put there", async (t) => {
    const lab = await Lab.create(t);
    const host = await hostWithTwoInterfaces(lab, "one");
    await host.ip("mptcp endpoint add 10.0.2.2 dev eth2 subflow");
    const daemon = startDaemon(lab, host);
    await eventually("its ledger", async () =>
      assert.ok(readdirSync(daemon.runtimeDirectory).some((name) => name.endsWith(".ledger.json"))),
    );
    const own = readdirSync(daemon.runtimeDirectory).find((name) => name.endsWith(".ledger.json")) ?? "";
    await daemon.stop();
    const directory = lab.freshPath("hostile");
    mkdirSync(directory);
    const clock = "\u009b2Jclock\u202e\n\n=== endpoints: forged ===\nforged \u001b[2J";
    writeFileSync(join(directory, clock), "");
    for (const suffix of ["ledger.json", "wanted", "lock", "adopt.json"])
      await host.run("mkfifo", join(directory, own.replace("ledger.json", suffix)));
    const line = `--runtime-dir=${directory}`;
    const text = await within("its end", report(host, line));
    assert.doesNotMatch(text, /[^\P{Cc}\n]|\u202e|^forged|^=== endpoints: forged/mu);
    assert.match(section(text, "state"), / \\u009b2Jclock\\u202e\\u000a/);
    assert.match(section(text, "endpoints"), /^10\.0\.2\.2 id 1/);
    assert.equal(notesIn(text).filter((note) => /is not a regular file/.test(note)).length, 4, text);
    const json = await within("its end", report(host, `-j ${line}`));
    assert.doesNotMatch(json, /[^\P{Cc}\n]|\u202e/u);
    assert.ok(JSON.stringify(JSON.parse(json).sections.state).includes(JSON.stringify(clock)));
    await within("its end", outcome(host.run(program, "explain", line)));
    const { code, stderr } = await within("its end", outcome(host.run(program, "adopt", "--all", line)));
    assert.equal(code, 1);
    assert.match(stderr, /^mptcpctl: .*\.lock is not a regular file: remove it\n$/m);
  });

  it("has no secrets, wherever they are", async (t) => {
    const lab = await Lab.create(t);
    const host = await lab.host("one");
    const file = lab.freshPath("mptcpd.conf");
    const config = [
      ...["# comment-secret-1", "[core]", "password=core-secret-2", "stray-secret-3"],
      ...[
        "[plugin mine]",
        "exec=/opt/mine --token exec-secret-4",
        "name=plugin-secret-5",
        "[path x]",
        'secret=a"quoted-secret-6"',
      ],
    ];
    writeFileSync(file, `${config.join("\n")}\n`);
    const message = 'plugin said plugin-secret-5, exec-secret-4 and stray-secret-3; password: "log-secret-7"';
    const directory = tools(lab, {
      systemctl: "env; echo ActiveState=active; exit 0",
      journalctl: `printf '%s\\n' '${JSON.stringify({ MESSAGE: message, PRIORITY: "6", _CMDLINE: "cmdline-secret-8" })}'`,
      nft: `printf 'table inet f {\\n chain c {\\n tcp option mptcp drop comment "comment-secret-9"\\n tcp dport 9 drop\\n }\\n}\\n'`,
    });
    const other = join(directory, "mptcpd");
    copyFileSync("/bin/sh", other);
    chmodSync(other, 0o755);
    const running = host.spawn(other, ["-c", "echo here; read wait", "argument-secret-10"], {
      env: { variable: "process-secret-11" },
    });
    await running.waitForLine(/^here$/);
    const before = [...withTools(directory), "variable=environment-secret-12"];
    for (const json of ["", "-j"]) {
      const text = await report(host, `${json} --config=${file} --runtime-dir=/nowhere`, before);
      assert.doesNotMatch(text, /secret-\d/);
      assert.match(text, /ActiveState/, "the unit");
      assert.match(text, /plugin said <hidden>, <hidden> and <hidden>/, "the log");
      assert.match(text, /tcp option mptcp drop/, "the firewall");
      assert.doesNotMatch(text, /dport/, "other rules");
      assert.match(text, /\bmptcpd\b.* (no|yes) |"name":"mptcpd"/, "the process");
      assert.match(text, /exec=\/opt\/mine <hidden>|"value":"\/opt\/mine <hidden>"/, "the configuration");
    }
  });

  it("gives public addresses names, unless it is told otherwise", async (t) => {
    const lab = await Lab.create(t);
    const host = await lab.host("one");
    await lab.link({ a: [host, "eth1", "91.1.2.3/24", "2a00:1450::7/64", "10.0.0.1/8"] });
    await host.ip("mptcp endpoint add 91.1.2.3 dev eth1 signal");
    await host.ip("route add default via 91.1.2.1 dev eth1");
    const text = await report(host, nowhere);
    assert.doesNotMatch(text, /91\.1\.2|2a00:1450|ff:fe/);
    assert.match(section(text, "endpoints"), /^public4-1\.1 id 1 signal dev eth1 $/);
    assert.match(section(text, "routes"), /^default via public4-1\.2 dev eth1 /);
    assert.match(section(text, "addresses"), /^eth1 +public4-1\.1\/24 /m);
    assert.match(section(text, "addresses"), /^eth1 +10\.0\.0\.1\/8 /m);
    assert.doesNotMatch(await report(host, `-j ${nowhere}`), /91\.1\.2|2a00:1450|ff:fe/);
    assert.doesNotMatch(await report(host, `--addresses mask-all ${nowhere}`), /91\.1\.2|10\.0\.0\.1|fe80/);
    assert.match(await report(host, `--addresses=keep ${nowhere}`), /^default via 91\.1\.2\.1 dev eth1 /m);
  });

  it("lists so many routes as somebody may read, and default routes in any case", async (t) => {
    const host = await hostWithTwoInterfaces(await Lab.create(t), "one");
    const route = (at: number) => `route add 10.${100 + Math.trunc(at / 250)}.${at % 250}.0/24 dev eth1`;
    await host.ipBatch(Array.from({ length: 700 }, (_, at) => route(at)));
    await host.ip("route add default dev eth2 table 4000000000");
    const text = await report(host, nowhere);
    const lines = section(text, "routes").split("\n");
    assert.equal(lines.filter((line) => /^10\./.test(line)).length, 500);
    assert.ok(lines.includes("default dev eth2 table 4000000000 proto boot"), lines.at(-1));
    assert.ok(notesIn(text).includes("routes: there are more than 500 routes"));
  });

  it("says which tools are missing, and why one has failed", async (t) => {
    const lab = await Lab.create(t);
    const host = await lab.host("one");
    const bare = tools(lab, {});
    symlinkSync(process.execPath, join(bare, "node"));
    for (const name of ["sh", "dirname", "readlink"]) symlinkSync(`/usr/bin/${name}`, join(bare, name));
    const without = await report(host, nowhere, ["env", `PATH=${bare}`]);
    for (const note of ["unit: systemctl", "firewall: nft", "log: journalctl"])
      assert.ok(
        notesIn(without).some((line) => line.startsWith(`${note} is not installed`)),
        note,
      );
    assert.match(section(without, "limits"), /^add_addr_accepted/);
    const broken = tools(lab, { systemctl: "echo no bus >&2; echo here >&2; exit 3" });
    const failed = notesIn(await report(host, nowhere, withTools(broken)));
    assert.ok(failed.includes("unit: systemctl failed: no bus here"), failed.join("\n"));
  });

  it("reports another network namespace", async (t) => {
    const lab = await Lab.create(t);
    const [here, there] = [await lab.host("here"), await lab.host("there")];
    await there.ip("mptcp endpoint add 10.9.9.9 signal");
    assert.equal(section(await report(here, nowhere), "endpoints"), "(none)");
    const text = await report(here, `${nowhere} -n ${there.namespace}`);
    assert.equal(section(text, "endpoints"), "10.9.9.9 id 1 signal ");
  });
});

describe("the file of a report", { skip: requires() }, () => {
  it("has a name of its own in this directory, and only its owner can read it", async (t) => {
    const lab = await Lab.create(t);
    const host = await lab.host("one");
    for (const [options, extension] of [
      [nowhere, "txt"],
      [`-jp ${nowhere}`, "json"],
    ] as const) {
      const directory = lab.freshPath("here");
      mkdirSync(directory);
      const script = `umask 0; cd "$1"; shift; exec "$@"`;
      const name = await host.run("sh", "-c", script, "sh", directory, program, "report", ...words(options));
      assert.match(name, new RegExp(`^mptcpd-report-[\\w.-]+-\\d{8}-\\d{6}\\.${extension}\\n$`));
      assert.deepEqual(readdirSync(directory), [name.trimEnd()]);
      const file = join(directory, name.trimEnd());
      assert.equal(statSync(file).mode & 0o777, 0o600);
      const text = readFileSync(file, "utf8");
      if (extension === "json") JSON.parse(text);
      else assert.match(text, /^mptcpd report, version 1\n/);
    }
  });

  it("takes the place of none but a regular file, and that only by --force", async (t) => {
    const lab = await Lab.create(t);
    const host = await lab.host("one");
    const [file, link, target] = [lab.freshPath("kept"), lab.freshPath("link"), lab.freshPath("target")];
    writeFileSync(file, "what was there", { mode: 0o644 });
    symlinkSync(target, link);
    const to = (path: string, force = "") => `report ${force} -o ${path} ${nowhere}`;
    const cannot = "cannot write the report:";
    await refuses(
      host,
      to(file),
      1,
      `${cannot} ${file} exists already; --force replaces it, --output gives another name`,
    );
    assert.equal(readFileSync(file, "utf8"), "what was there");
    for (const force of ["", "--force"]) {
      await refuses(host, to(link, force), 1, /is a symbolic link, and links are not followed; /);
      await refuses(host, to(dirname(file), force), 1, /is a directory; /);
      await refuses(host, to("/dev/full", force), 1, /\/dev\/full is not a regular file; /);
    }
    assert.equal(await host.run(program, ...words(to(file, "-f"))), `${file}\n`);
    assert.match(readFileSync(file, "utf8"), /^mptcpd report/);
    assert.equal(statSync(file).mode & 0o777, 0o600);
    const others = readdirSync(dirname(file)).filter((name) => /target|new$/.test(name));
    assert.deepEqual(others, []);
  });

  it("is not there when it could not be written as a whole", async (t) => {
    const lab = await Lab.create(t);
    const host = await lab.host("one");
    const directory = lab.freshPath("small");
    mkdirSync(directory);
    const script = `mount -t tmpfs -o size=4k small "$1" && cd "$1" && { "$2" report -o r.txt $3; ls -A; }`;
    const command = ["--mount", "sh", "-c", script, "sh", directory, program, nowhere];
    const child = host.spawn("unshare", command);
    await within("its end", child.exited);
    assert.deepEqual(child.lines, ["mptcpctl: cannot write the report to r.txt: no space is left"]);
    await refuses(
      host,
      `report -o /nowhere/r.txt ${nowhere}`,
      1,
      "cannot write the report to /nowhere/r.txt: its directory does not exist",
    );
  });

  it("may be a pipe whose reader goes", async (t) => {
    const host = await (await Lab.create(t)).host("one");
    const script = `{ "$1" report -o - $2; echo "exit $?" >&2; } | true`;
    const child = host.spawn("sh", ["-c", script, "sh", program, nowhere]);
    await within("its end", child.exited);
    assert.equal(child.lines.at(-1), "exit 0", child.output);
    assert.doesNotMatch(child.output, /internal error/);
  });
});

describe("mptcpctl report's command line", { skip: requires() }, () => {
  it("is refused with what is allowed", async (t) => {
    const host = await (await Lab.create(t)).host("one");
    await refuses(host, "report x", 2, 'report: "x" is not understood; it takes options only');
    await refuses(
      host,
      "report --addresses=no",
      2,
      'report: --addresses: "no" is unknown; allowed: mask, mask-all, keep',
    );
    await refuses(
      host,
      "report --log-lines=-1",
      2,
      'report: --log-lines: "-1" is not a number from 0 to 100000',
    );
    await refuses(host, "report --output=", 2, "--output is empty: give a path, or leave it out");
  });
});
