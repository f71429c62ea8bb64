import assert from "node:assert/strict";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { namespaceDirectory } from "../../src/kernel/network-namespace.ts";
import type { Host } from "../../src/lab/kit/host.ts";
import { Lab } from "../../src/lab/kit/lab.ts";
import { requires } from "../../src/lab/kit/requires.ts";
import { type Shell, shellNames } from "../../src/programs/completions/completion-files.ts";
import { Completions, shellProblem } from "../lab/completion.ts";

/** What is typed before the Tab key, and the interface's name that it stands for, as shells write bytes. */
const interfaces = [
  ["qa", "qa|touch>pw"],
  ["qb", "qb$(id>pw)"],
  ["qc", "qc`id>pw`"],
  ["qd", "qd;id>pw"],
  ["qe", "qe'id>pw'"],
  ["qf", 'qf"id>pw"'],
  ["qg", "qg\\id"],
  ["qh", "qh!id"],
  ["qi", "qi*"],
  ["qj", "qj&id"],
  ["qk", "qk#[a]{b,c}"],
  ["ql", "ql=b,c"],
  ["qm", "qm\\xff\\x80"],
  ["qn", "qn\\x01"],
  ["\\~", "~root"],
  ["\\#", "#x"],
  ["'qa", "qa|touch>pw"],
  ["'qe", "qe'id>pw'"],
  ["'qh", "qh!id"],
  ['"qb', "qb$(id>pw)"],
  ['"qc', "qc`id>pw`"],
  ['"qf', 'qf"id>pw"'],
  ['"qg', "qg\\id"],
] as const;
const namespaces = [
  ["na", "na b"],
  ["nb", "nb$(id>pw)"],
  ["nc", "nc:d"],
  ["'na", "na b"],
] as const;

describe("completed names reach the program whole, and the shell runs no part of them", {
  skip: requires({ tools: ["script"] }),
  concurrency: true,
}, () => {
  let lab: Lab;
  let host: Host;
  let completions: Completions;
  before(async () => {
    lab = await Lab.create();
    completions = new Completions();
    host = await lab.host("one");
    // A command's arguments are bytes; Node has no others than UTF-8.
    for (const name of new Set(interfaces.map(([, name]) => name)))
      await host.run("bash", "-c", 'ip link add name "$(printf %b "$1")" type veth', "bash", forPrintf(name));
    await host.run("ip", "link", "add", "name", "-r", "type", "veth");
    for (const [, name] of namespaces) writeFileSync(join(namespaceDirectory, name), "");
    writeFileSync(join(namespaceDirectory, "nz\ntouch pw"), "");
  });
  after(async () => {
    completions?.close();
    await lab?.close();
  });

  for (const shell of shellNames)
    describe(`in ${shell}`, { skip: shellProblem(shell) }, () => {
      it("interfaces", async () => {
        const typed = interfaces.map(([beginning]) => `mptcpctl endpoint add 10.0.0.1 dev ${beginning}`);
        const { words, files } = await complete(shell, typed);
        const devices = words.map((line) => line.at(-1));
        assert.deepEqual(
          devices,
          interfaces.map(([, name]) => asHex(name)),
        );
        assert.deepEqual(files, []);
      });

      it("an interface whose name would be an option, as an escape that stands for it", async () => {
        const { words } = await complete(shell, ["mptcpctl endpoint add 10.0.0.1 dev \\\\x2"]);
        assert.deepEqual(
          words.map((line) => line.at(-1)),
          [Buffer.from("\\x2dr").toString("hex")],
        );
      });

      it("network namespaces; one whose name has two lines is left out", async () => {
        const typed = namespaces.map(([beginning]) => `mptcpctl -n ${beginning}`);
        const { words, files } = await complete(shell, [...typed, "mptcpctl -n nz", "mptcpctl -n tou"]);
        assert.deepEqual(
          words.map((line) => line.at(-1)),
          [...namespaces.map(([, name]) => name), "nz", "tou"].map(asHex),
        );
        assert.deepEqual(files, []);
      });
    });

  /** Types lines into an interactive shell, each with the Tab and the Enter key, and gives what programs got. */
  async function complete(shell: Shell, lines: readonly string[]) {
    const directory = lab.freshPath(shell);
    const [bin, current, got] = [join(directory, "bin"), join(directory, "current"), join(directory, "got")];
    for (const path of [directory, bin, current]) mkdirSync(path);
    writeFileSync(join(bin, "mptcpctl"), program(got), { mode: 0o755 });
    writeFileSync(got, "");
    const file = completions.file(shell, "mptcpctl");
    const { command, load } = {
      bash: { command: "bash --norc --noprofile -i", load: `source ${file}` },
      zsh: {
        command: "zsh -f -i",
        load: `fpath=(${join(file, "..")} $fpath); autoload -Uz compinit; compinit -u -d ${directory}/dump`,
      },
      fish: { command: "fish --no-config -i", load: `source ${file}` },
    }[shell];
    const input = [load, ...lines.map((line) => `${line}\t`), "exit", ""].join("\n");
    writeFileSync(join(directory, "input"), input);
    const environment = [
      ...[`HOME=${directory}`, "LC_ALL=C.UTF-8", "TERM=dumb", "SHELL=/bin/sh"],
      `PATH=${bin}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin`,
    ];
    const script = 'cd "$1/current" && script -qec "$2" /dev/null <"$1/input" >/dev/null';
    await host.run("env", "-i", ...environment, "sh", "-c", script, "sh", directory, command);
    // Arguments are bytes, and Latin-1 keeps each.
    const calls = readFileSync(got, "latin1").split("\0\0").slice(0, -1);
    const words = calls.map((call) =>
      call.split("\0").map((word) => Buffer.from(word, "latin1").toString("hex")),
    );
    return { words, files: readdirSync(current) };
  }
});

/** Writes its arguments, with NUL after each, and one more after the last. */
function program(file: string): string {
  return `#!/bin/sh\nprintf '%s\\0' "$@" '' >>${file}\n`;
}

/** Of the escapes, only bytes are meant. */
function forPrintf(name: string): string {
  return name.replace(/\\(?!x)/g, "\\\\");
}

function asHex(name: string): string {
  const bytes = name
    .split(/(\\x[\da-f]{2})/)
    .map((part, at) => (at % 2 === 1 ? Buffer.from(part.slice(2), "hex") : Buffer.from(part)));
  return Buffer.concat(bytes).toString("hex");
}
