import assert from "node:assert/strict";
import { existsSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import type { Closer } from "../../src/lab/kit/lab.ts";
import { requires } from "../../src/lab/kit/requires.ts";
import { atOnce, Machine, program } from "../lab/machine.ts";
import { PluginDirectory, plugin } from "../lab/plugin-directory.ts";
import { askToReload, inForce, startReload, verdictOf } from "../lab/reload-command.ts";

const options = { skip: requires({ tools: ["perl"] }), concurrency: 2 };

describe("mptcpd --reload", options, () => {
  it("succeeds when the configuration is in force, and not before", async (t) => {
    const machine = await Machine.create(t);
    const { configFile } = await machine.start();
    writeFileSync(configFile, `${atOnce}addr-flags=signal\n`);
    assert.deepEqual(await askToReload(machine), inForce);
    assert.deepEqual(await machine.show(), ["10.0.0.1 eth0 signal"]);
  });

  it("shows the warnings of a configuration that is accepted", async (t) => {
    const machine = await Machine.create(t);
    const { configFile } = await machine.start();
    writeFileSync(configFile, "[core]\nno-such-key=1\n");
    const { code, lines } = await askToReload(machine);
    assert.equal(code, 0);
    assert.match(lines.join("\n"), /mptcpd\.conf:2: .*no-such-key.*ignored/);
  });

  it("gives each of two at once the verdict of its own reload", async (t) => {
    const { machine, config, slow } = await withSlowPlugin(t);
    const { configFile } = await machine.start();
    writeFileSync(configFile, config);
    const first = startReload(machine);
    await slow.begun();
    writeFileSync(configFile, "[core]\non-stop=never\n");
    const second = startReload(machine);
    slow.goOn();
    assert.equal((await verdictOf(first)).code, 0);
    assert.equal((await verdictOf(second)).code, 1);
  });

  it("fails when mptcpd dies while it reloads", async (t) => {
    const { machine, config, slow } = await withSlowPlugin(t);
    const { configFile } = await machine.start();
    writeFileSync(configFile, config);
    const command = startReload(machine);
    await slow.begun();
    await machine.daemon.kill();
    const { code, lines } = await verdictOf(command);
    assert.equal(code, 1);
    assert.deepEqual(lines, [
      "mptcpd: mptcpd ended before it had reloaded the configuration: look at its log",
    ]);
  });

  it("waits for an mptcpd that is not ready yet", async (t) => {
    const { machine, config, slow } = await withSlowPlugin(t);
    const { configFile } = machine.launch({ config });
    await slow.begun();
    const command = startReload(machine);
    writeFileSync(configFile, `${atOnce}addr-flags=signal\n`);
    slow.goOn();
    assert.deepEqual(await verdictOf(command), inForce);
    assert.deepEqual(await machine.show(), ["10.0.0.1 eth0 signal"]);
  });

  it("fails when an mptcpd that is not ready yet does not become so", async (t) => {
    const { machine, config, slow } = await withSlowPlugin(t, 'throw new Error("broken");');
    const daemon = machine.launch({ config });
    await slow.begun();
    const command = startReload(machine);
    slow.goOn();
    assert.equal((await daemon.exited).code, 1);
    assert.equal((await verdictOf(command)).code, 1);
    assert.deepEqual(sockets(machine), []);
  });

  it("fails at once where no mptcpd runs, and where one was killed", async (t) => {
    const machine = await Machine.create(t);
    const refused = async (why: RegExp, env = {}): Promise<void> => {
      const { code, lines } = await askToReload(machine, env);
      assert.equal(code, 1);
      assert.match(lines.join(), why);
    };
    await refused(/^mptcpd: there is no .*\.reload: is mptcpd running\?$/);
    await machine.start();
    await machine.daemon.kill();
    assert.equal(sockets(machine).length, 1, "it is left behind");
    await refused(/^mptcpd: nobody listens at .*\.reload: is mptcpd running\?$/);
    await refused(/^mptcpd: cannot tell mptcpd \(pid \d+\) to reload: kill ESRCH$/, {
      MAINPID: `${machine.daemon.pid}`,
    });
    await machine.start();
    assert.deepEqual(await askToReload(machine), inForce);
    await machine.stop();
    assert.deepEqual(sockets(machine), [], "it goes with an mptcpd that stops");
  });

  it("has an mptcpd whose socket somebody has removed make it again, if systemd says who that is", async (t) => {
    const machine = await Machine.create(t);
    const { configFile, pid } = await machine.start();
    for (const name of sockets(machine)) rmSync(join(machine.runtimeDirectory, name));
    assert.equal((await askToReload(machine)).code, 1);
    writeFileSync(configFile, "[core]\non-stop=never\n");
    const { code, lines } = await askToReload(machine, { MAINPID: `${pid}` });
    assert.equal(code, 1);
    assert.match(lines[0] ?? "", /on-stop/);
    writeFileSync(configFile, atOnce);
    assert.deepEqual(await askToReload(machine), inForce);
  });

  it("says so when mptcpd cannot make its socket, and does not call that a success", async (t) => {
    const machine = await Machine.create(t);
    const { pid } = await machine.start();
    const [name = ""] = sockets(machine);
    rmSync(join(machine.runtimeDirectory, name));
    await machine.host.run("mkdir", join(machine.runtimeDirectory, name));
    const { code, lines } = await askToReload(machine, { MAINPID: `${pid}` });
    assert.equal(code, 1);
    assert.match(lines.join(), /sent SIGHUP to mptcpd .*, but cannot ask it for the outcome/);
    await machine.daemon.waitForLine(/^notice: configuration reloaded$/);
    const warnings = machine.problems.filter((line) => line.includes(name));
    assert.equal(warnings.length, 1, warnings.join("\n"));
  });

  it("neither hangs nor lies where the runtime directory is full", async (t) => {
    const machine = await Machine.create(t);
    const mounted = 'mount -t tmpfs -o size=16k,mode=755 full "$0" && exec "$@"';
    const { configFile, pid } = await machine.start({
      command: ["unshare", "--mount", "sh", "-c", mounted, machine.runtimeDirectory, ...program],
    });
    const inside = (...command: readonly [string, ...string[]]) =>
      machine.host.spawn("nsenter", [`--mount=/proc/${pid}/ns/mnt`, ...command]);
    await inside("sh", "-c", 'head -c 100000 /dev/zero >"$0/fill"', machine.runtimeDirectory).exited;
    for (const [text, code] of [
      ["[core]\non-stop=never\n", 1],
      [atOnce, 0],
    ] as const) {
      writeFileSync(configFile, text);
      const command = inside(...program, "--reload", "--runtime-dir", machine.runtimeDirectory);
      assert.equal((await verdictOf(command)).code, code);
    }
  });

  it("works in a directory whose path is longer than that of a socket may be", async (t) => {
    const machine = await Machine.create(t);
    const long = join(machine.lab.freshPath("long"), "x".repeat(60), "y".repeat(60));
    await machine.host.run("mkdir", "--parents", long);
    await machine.start({ args: ["--runtime-dir", long] });
    const [command, ...args] = program;
    const reload = machine.host.spawn(command, [...args, "--reload", "--runtime-dir", long]);
    assert.deepEqual(await verdictOf(reload), inForce);
  });

  it("is for root and mptcpd's user alone", async (t) => {
    const machine = await Machine.create(t);
    await machine.start();
    const [name = ""] = sockets(machine);
    const mode = await machine.host.run("stat", "--format=%a", join(machine.runtimeDirectory, name));
    assert.equal(mode.trim(), "600");
  });

  it("is not held up by somebody who connects and says nothing, or nonsense", async (t) => {
    const machine = await Machine.create(t);
    await machine.start();
    const [name = ""] = sockets(machine);
    const client = (text: string) =>
      machine.host.spawn("perl", ["-MSocket", "-e", perlClient, join(machine.runtimeDirectory, name), text]);
    const silent = client("");
    await silent.waitForLine(/^connected$/);
    await client("GET / HTTP/1.0\r\n\r\n").waitForLine(/^closed$/);
    assert.deepEqual(await askToReload(machine), inForce);
    await machine.stop();
    await silent.waitForLine(/^closed$/);
  });
});

/** Connects, writes, and waits until the other end closes. */
const perlClient = `
  $| = 1;
  socket(S, AF_UNIX, SOCK_STREAM, 0) && connect(S, pack_sockaddr_un($ARGV[0])) or die $!;
  print "connected\\n";
  syswrite(S, $ARGV[1]);
  sysread(S, $_, 4096);
  print "closed\\n";`;

/** The names of the sockets at which a machine's mptcpd takes reloads. */
function sockets({ runtimeDirectory: directory }: Machine): string[] {
  return existsSync(directory) ? readdirSync(directory).filter((name) => name.endsWith(".reload")) : [];
}

/** A machine, and a path manager whose file tells when it is being loaded, and then waits. */
async function withSlowPlugin(t: Closer, end = plugin("slow", "")) {
  const machine = await Machine.create(t);
  const [begun, goOn] = [machine.lab.freshPath("begun"), machine.lab.freshPath("go-on")];
  const plugins = new PluginDirectory(machine.lab, {
    "slow.mjs": `import { existsSync, writeFileSync } from "node:fs";
      writeFileSync("${begun}", "");
      while (!existsSync("${goOn}")) await new Promise((resolve) => setTimeout(resolve, 10));
      ${end}`,
  });
  const slow = {
    begun: () => machine.eventually("the plugin to be loaded", () => assert.ok(existsSync(begun))),
    goOn: () => writeFileSync(goOn, ""),
  };
  return { machine, config: plugins.config("path-manager=slow"), slow };
}
