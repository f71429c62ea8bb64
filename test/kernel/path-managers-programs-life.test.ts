import assert from "node:assert/strict";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { checkout } from "../../src/lab/kit/checkout.ts";
import type { Closer } from "../../src/lab/kit/lab.ts";
import { requires } from "../../src/lab/kit/requires.ts";
import { waitFor } from "../../src/lab/kit/wait.ts";
import type { Machine } from "../lab/machine.ts";
import { families, ManagedHost } from "../lab/managed-host.ts";
import { PluginDirectory, withPlugins } from "../lab/plugin-directory.ts";

const options = { skip: requires(), concurrency: 2 };
const patience = { deadlineMs: 15_000 };
const { MPTCPD_ADDON: addon = join(checkout, "dist/addon.node") } = process.env;

/** A subflow from the second uplink, for each connection. */
const examples: readonly (readonly [string, string, string])[] = [
  [
    "Python",
    "/usr/bin/python3",
    `import json, sys
for line in sys.stdin:
    told = json.loads(line)
    if told.get("event") == "connectionEstablished" and told["connection"]["serverSide"] is False:
        print(json.dumps({"command": "createSubflow", "token": told["connection"]["token"], "from": "10.0.2.2"}), flush=True)
`,
  ],
  [
    "sh",
    "/bin/sh",
    `while read -r line; do
  case $line in '{"event":"connectionEstablished",'*'"serverSide":false'*)
    token=\${line#*'"token":"'}
    echo '{"command":"createSubflow","token":"'"\${token%%'"'*}"'","from":"10.0.2.2"}' ;;
  esac
done
`,
  ],
];

describe("a program that is a path manager", options, () => {
  for (const [language, interpreter, text] of examples)
    it(`may be in ${language}`, { skip: !existsSync(interpreter) && `needs ${interpreter}` }, async (t) => {
      const managed = await ManagedHost.create(t, "client");
      const plugins = new PluginDirectory(managed.machine.lab);
      const script = plugins.write("program.txt", text);
      await managed.machine.start({ config: configOf(plugins, `${interpreter} ${script}`) });
      const port = await managed.serverPeer.listen({ address: families[0].any, port: 0 });
      const socket = await managed.clientPeer.connect({ address: families[0].target, port });
      await waitFor("two subflows", () => managed.serverPeer.subflowsAt(socket.port), {
        until: (subflows) => subflows.join() === "10.0.1.1 > 10.0.1.2,10.0.1.1 > 10.0.2.2",
      });
      assert.deepEqual(managed.machine.problems, []);
    });

  it("that ends is started again, with more and more patience, and told anew what there is", async (t) => {
    const { machine } = await withProgram(t, `read -r hello; echo "$hello" >&2; exit 3`);
    const how = (ms: number) =>
      new RegExp(`^error: program: /\\S+/program ended with status 3; it is started again in ${ms} ms$`);
    for (const ms of [100, 200, 400, 800]) await machine.daemon.waitForLine(how(ms), patience);
    const greetings = machine.daemon.lines.filter((line) => line.includes('"event":"hello"'));
    assert.ok(greetings.length >= 4);
  });

  it("that was restarted knows the connections, addresses and interfaces", async (t) => {
    const managed = await ManagedHost.create(t, "client");
    const { machine } = managed;
    const plugins = new PluginDirectory(machine.lab);
    const told = machine.lab.freshPath("told");
    const script = plugins.write("program", `#!/bin/sh\nexec tee -a ${told} >/dev/null`, 0o755);
    await machine.start({ config: configOf(plugins, script) });
    const port = await managed.serverPeer.listen({ address: "0.0.0.0", port: 0 });
    await managed.clientPeer.connect({ address: "10.0.1.1", port });
    const events = () =>
      readFileSync(told, "utf8")
        .trimEnd()
        .split("\n")
        .map((line) => String(JSON.parse(line).event));
    // The last line may be there by half.
    const before = await waitFor("the connection", events, {
      until: (all) => all.includes("connectionEstablished"),
    });
    const [pid] = await processesOf(machine, told);
    process.kill(Number(pid), "SIGKILL");
    await machine.daemon.waitForLine(/was ended by SIGKILL; it is started again in 100 ms$/);
    const again = await waitFor("all of it again", () => events().slice(before.length), {
      until: (all) => all.includes("connectionEstablished"),
    });
    assert.deepEqual(again.toSorted(), before.filter((event) => !event.startsWith("listener")).toSorted());
  });

  for (const [what, end] of [
    ["stopped", (machine: Machine) => machine.stop()],
    ["killed", (machine: Machine) => machine.daemon.kill()],
    ["reloaded without it", (machine: Machine) => machine.reload("[core]\n")],
  ] as const)
    it(`does not outlive an mptcpd that is ${what}`, async (t) => {
      const { machine, mark } = await withProgram(t, "trap '' TERM; while :; do sleep 0.05; done; # MARK");
      await waitFor("it to run", async () => (await processesOf(machine, mark)).length > 0);
      await end(machine);
      await waitFor("its end", async () => (await processesOf(machine, mark)).length === 0);
    });

  it("has the time to end in good order when mptcpd stops", async (t) => {
    const { machine, file } = await withProgram(
      t,
      `trap 'sleep 0.1; echo done >FILE; exit' TERM; echo begun >&2; while read -r line; do :; done; sleep 5 & wait`,
    );
    await machine.daemon.waitForLine(/^info: program: begun$/);
    await machine.stop();
    assert.equal(readFileSync(file, "utf8"), "done\n");
  });

  it("that is changed, or whose script is, is replaced by a reload", async (t) => {
    const { machine, plugins } = await withPlugins(t, {});
    const script = plugins.write("script", "echo first >&2; cat >/dev/null");
    await machine.start({ config: configOf(plugins, `/bin/sh ${script}`) });
    await machine.daemon.waitForLine(/^info: program: first$/);
    await machine.reload();
    assert.equal(machine.daemon.lines.filter((line) => line === "info: program: first").length, 1);
    plugins.write("script", "echo second >&2; cat >/dev/null");
    await machine.says(/^info: program: second$/, () => machine.reload());
  });

  it("that writes what is no command is told so, and goes on", async (t) => {
    const { machine } = await withProgram(
      t,
      `echo garbage; echo '[1,2]'; printf '\\377\\376\\n'; head -c 100000 /dev/urandom | tr -d '\\n'; echo
       echo '{"request":7,"command":"limits"}'; grep --line-buffered -m 1 '"reply":7' >&2; cat >/dev/null`,
    );
    await machine.daemon.waitForLine(/^warning: program: garbage: /);
    await machine.daemon.waitForLine(/^warning: program: \[1,2\]: no command is named/);
    await machine.daemon.waitForLine(/^info: program: \{"reply":7,"result":\{"subflows":\d/);
    assert.doesNotMatch(machine.daemon.output, /started again/);
  });

  it("that writes a line of 2 MiB is ended, and started again", async (t) => {
    const { machine } = await withProgram(t, "head -c 2097152 /dev/zero | tr '\\0' x; cat >/dev/null");
    await machine.daemon.waitForLine(
      /^error: program: \S+ wrote a line of more than 1048576 characters; it is started again in 100 ms$/,
      patience,
    );
  });

  it("that does not read what it is told is ended, and started again", async (t) => {
    const { machine } = await withProgram(t, "exec sleep 1000000");
    const storm = join(import.meta.dirname, "../lab/connection-storm.js");
    const isEnded = () => machine.daemon.lines.some((line) => line.includes("does not read what it is told"));
    for (let round = 0; round < 5 && !isEnded(); round++)
      await machine.host.run("env", `MPTCPD_ADDON=${addon}`, process.execPath, storm, "3000");
    await machine.daemon.waitForLine(
      /^error: program: \S+ does not read what it is told; it is started again in 100 ms$/,
      patience,
    );
  });

  const refused: readonly (readonly [string, string, RegExp])[] = [
    ["that is not there", "/nowhere/program", /plugin program: there is no program \/nowhere\/program$/],
    ["that cannot be executed", "PLAIN", /plugin program: \S+ cannot be executed: allow it with chmod \+x$/],
    ["that everybody may write to", "OPEN", /plugin program: \S+ may be written by everybody/],
    ["without its whole path", "program", /exec: "program" does not begin with the whole path of a program/],
  ];
  for (const [what, command, message] of refused)
    it(`${what} is refused`, async (t) => {
      const { machine, plugins } = await withPlugins(t, {});
      const paths = new Map([
        ["PLAIN", plugins.write("plain", "#!/bin/sh\n", 0o644)],
        ["OPEN", plugins.write("open", "#!/bin/sh\n", 0o777)],
      ]);
      const { code, lines } = await machine.runToEnd({
        config: configOf(plugins, paths.get(command) ?? command),
      });
      assert.equal(code, 1);
      assert.equal(lines.length, 1, lines.join("\n"));
      assert.match(lines[0] ?? "", message);
    });
});

function configOf(plugins: PluginDirectory, exec: string): string {
  return plugins.config("load-plugins=program\npath-manager=program", `[plugin program]\nexec=${exec}`);
}

/** An mptcpd with a shell script for a path manager; in its text FILE is a path, and MARK is like nothing else. */
async function withProgram(t: Closer, text: string) {
  const { machine, plugins } = await withPlugins(t, {});
  const [file, mark] = [machine.lab.freshPath("file"), machine.lab.freshPath("mark")];
  const body = text.replaceAll("FILE", file);
  const script = plugins.write("program", `#!/bin/sh\n${body}\n`, 0o755);
  writeFileSync(file, "");
  await machine.start({ config: configOf(plugins, `${script} ${mark}`) });
  return { machine, plugins, file, mark };
}

/** The pids of what runs with a word in its command line, setpriv and mptcpd itself left out. */
async function processesOf({ host, daemon }: Machine, word: string): Promise<string[]> {
  const rows = (await host.run("ps", "-eo", "pid=,ppid=,args=")).trimEnd().split("\n");
  return rows
    .map((row) => row.trim().split(/\s+/))
    .filter(([pid, , ...args]) => pid !== String(daemon.pid) && args.includes(word))
    .map(([pid = ""]) => pid);
}
