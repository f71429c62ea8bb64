import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { checkout } from "../../../../src/lab/kit/checkout.ts";
import { describePrograms, shellNames } from "../../../../src/programs/completions/completion-files.ts";
import { rowText } from "../../../../src/programs/completions/completion-rows.ts";
import { Completions, offered, shellProblem } from "../../../lab/completion.ts";

const tool = join(checkout, "tools/completions.mjs");
const programs = ["mptcpctl", "mptcpd", "mptcpize"];
const endpointFlags = ["backup", "fullmesh", "laminar", "signal", "subflow"];
const plugins = ["addr_adv", "backup", "fullmesh", "heal", "ndiffports", "sspi"];

// What follows a line, whatever the host. The current directory has config.conf, config/ and wifi.ts.
const lines: Readonly<Record<string, readonly string[]>> = {
  // Commands, also behind options and shortened.
  "mptcpctl e": ["endpoint", "explain"],
  "mptcpctl -j --pretty l": ["limits", "listen"],
  "mptcpctl endpoint ": ["add", "change", "delete", "flush", "show"],
  "mptcpctl -n x e d": ["delete"],
  "mptcpctl help w": ["withdraw"],
  "mptcpize ": ["disable", "enable", "help", "run", "status"],
  "mptcpize help ": ["disable", "enable", "run", "status"],
  // Words, each once.
  "mptcpctl limits set ": ["add_addr_accepted", "subflows"],
  "mptcpctl limits set subflows 3 ": ["add_addr_accepted"],
  "mptcpctl l s sub 3 ": ["add_addr_accepted"],
  "mptcpctl endpoint change id 1 ": ["backup", "fullmesh", "nobackup", "nofullmesh", "port"],
  "mptcpctl endpoint add 10.0.0.1 backup s": ["signal", "subflow"],
  "mptcpctl endpoint add 10.0.0.1 port ": [],
  "mptcpctl withdraw token 1 ": ["id"],
  "mptcpctl subflow destroy token 1 10.0.0.1 port 1 ": ["to"],
  "mptcpctl subflow destroy token 1 10.0.0.1 port 1 to 10.0.0.2 ": ["port"],
  "mptcpctl subflow change token 1 10.0.0.1 port 1 to 10.0.0.2 port 2 ": ["backup", "nobackup"],
  // Options.
  "mptcpctl explain --": [
    "--config",
    "--help",
    "--json",
    "--netns",
    "--pretty",
    "--runtime-dir",
    "--timestamp",
  ],
  "mptcpctl --v": ["--version"],
  "mptcpctl subflow create --n": ["--netns", "--no-wait"],
  "mptcpd --p": ["--path-manager", "--plan", "--plugin-dir"],
  "mptcpize run --": ["--argv0", "--dry-run", "--help", "--how", "--off", "--options", "--strict"],
  "mptcpize disable --r": ["--repair"],
  "mptcpize run --options=": ["refuse", "tcp", "tolerate"],
  // Values.
  "mptcpd --log ": ["journal", "null", "stderr", "syslog"],
  "mptcpd --log=s": ["stderr", "syslog"],
  "mptcpd -l s": ["stderr", "syslog"],
  "mptcpd -dl s": ["stderr", "syslog"],
  "mptcpd --addr-flags=": endpointFlags,
  "mptcpd --addr-flags=subflow,": endpointFlags
    .filter((flag) => flag !== "subflow")
    .map((flag) => `subflow,${flag}`),
  "mptcpd --addr-flags subflow,b": ["subflow,backup"],
  "mptcpd --notify-flags s": ["skip_link_local", "skip_loopback"],
  "mptcpd --plugin-dir=. --path-manager w": ["wifi"],
  "mptcpd --plugin-dir . --load-plugins heal,": plugins
    .filter((plugin) => plugin !== "heal")
    .concat("wifi")
    .map((plugin) => `heal,${plugin}`)
    .sort(),
  "mptcpd --config con": ["config", "config.conf"],
  "mptcpd --runtime-dir con": ["config"],
  "mptcpd --runtime-dir=con": ["config"],
  "mptcpctl replay config.conf --plugin f": ["fullmesh"],
  "mptcpctl replay config.conf --plugin wif": ["wifi.test.ts", "wifi.ts"],
  "mptcpctl replay config.conf --option ": [
    ...["announce=", "budget=", "delay=", "interfaces=", "longest-delay=", "subflows="],
  ],
  "mptcpctl record con": ["config", "config.conf"],
  "mptcpize enable --how ": ["auto", "bpf", "preload", "seccomp"],
  "mptcpize run --how=s": ["seccomp"],
  // The program that is run, and its words.
  "mptcpize run --strict mptcp": programs,
  "mptcpize run -- mptcpc": ["mptcpctl"],
  "mptcpize run cat con": ["config", "config.conf"],
  "mptcpize run --how=seccomp -d cat config.c": ["config.conf"],
};

describe("completions", () => {
  let completions: Completions;
  let directory = "";
  before(() => {
    completions = new Completions();
    directory = join(completions.directory, "current");
    mkdirSync(join(directory, "config"), { recursive: true });
    for (const name of ["config.conf", "wifi.ts", "wifi.test.ts"]) writeFileSync(join(directory, name), "");
  });
  after(() => completions.close());

  it("are made for each program and shell, with nothing left to fill in", () => {
    for (const shell of shellNames) {
      assert.equal(readdirSync(join(completions.directory, "made", shell)).length, programs.length);
      for (const program of programs) {
        const text = readFileSync(completions.file(shell, program), "utf8");
        assert.doesNotMatch(text, /@[a-z]+@/);
      }
    }
  });

  for (const shell of shellNames)
    describe(`in ${shell}`, { skip: shellProblem(shell) }, () => {
      it("are without an error of syntax", () => {
        for (const program of programs)
          execFileSync(shell, ["-n", completions.file(shell, program)], { stdio: "pipe" });
      });

      for (const [line, expected] of Object.entries(lines))
        it(`has for "${line}" what fits`, () => {
          const [command, ...words] = completions.command(shell, line);
          const { stdout, stderr } = spawnSync(command, words, { cwd: directory, encoding: "utf8" });
          assert.deepEqual({ offered: offered(stdout), stderr }, { offered: expected, stderr: "" });
        });

      it("starts neither Node nor a program of ours", () => assert.ok(!existsSync(completions.started)));
    });
});

describe("the table of completions", () => {
  it("has only rows that shells can read", () => {
    for (const rows of describePrograms().values()) for (const row of rows) rowText(row);
    const wrong = { place: "", kind: "command", name: "a|b", value: "", help: "" } as const;
    assert.throws(() => rowText(wrong), /cannot stand in a table/);
  });

  it("knows what most values may be", () => {
    const unknown = [...describePrograms()].flatMap(([program, rows]) =>
      rows
        .filter(({ value }) => value === "-")
        .map(({ place, name }) => `${program} ${place} ${name}`.trim()),
    );
    // Numbers, ids that are yet to be, addresses of others, names.
    const free = /(port|id|to|subflows|add_addr_accepted|--deadline|--speed|--log-lines|--argv0)$/;
    assert.deepEqual(
      unknown.filter((what) => !free.test(what)),
      [],
    );
  });
});

describe("tools/completions.mjs", () => {
  it("says how it is called", () => {
    for (const words of [[], ["a", "b"], ["--help"]]) {
      const { status, stderr } = spawnSync(process.execPath, [tool, ...words], { encoding: "utf8" });
      const usage = "completions: usage: node tools/completions.mjs DIRECTORY\n";
      assert.deepEqual({ status, stderr }, { status: 64, stderr: usage });
    }
  });
});
