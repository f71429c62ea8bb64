import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { checkout } from "../../src/lab/kit/checkout.ts";
import type { Host } from "../../src/lab/kit/host.ts";
import { Lab } from "../../src/lab/kit/lab.ts";
import { requires } from "../../src/lab/kit/requires.ts";

/** Steers a terminal by C0 and C1 controls, turns the order of what follows, and begins a line of its own. */
const evil = "x\x1b[2J\x9b31m\x7f\u202e\u2066\u200f\nmptcpd: forged";
/** As printf(1) writes it: controls, a mark of direction, and bytes that are not UTF-8; at most 15 bytes. */
const evilInterface = "\\033[2J\\302\\2331m\\342\\200\\256\\377";

/** Programs, and words for them of which EVIL is what somebody may have chosen. */
const commands: Readonly<Record<string, readonly string[]>> = {
  mptcpctl: [
    ...["EVIL", "--EVIL", "help EVIL", "endpoint EVIL", "endpoint show", "-j endpoint show", "-jp endpoint"],
    ...["endpoint add 10.0.0.9 dev EVIL", "endpoint add EVIL", "endpoint show id EVIL", "limits set EVIL 1"],
    ...[
      "explain",
      "-j explain",
      "explain EVIL",
      "-j explain EVIL",
      "--config=EVIL explain",
      "explain --config FILE",
    ],
    ...["explain --runtime-dir EVIL", "adopt EVIL", "adopt --all --runtime-dir EVIL", "-n EVIL limits"],
    ...["connections", "-j connections", "connections EVIL", "subflow EVIL", "subflow create token EVIL"],
    ...["announce token 1 10.0.0.1 dev EVIL", "withdraw EVIL", "listen EVIL", "record /EVIL/EVIL"],
    ...["replay EVIL --plugin EVIL", "replay RECORDING --plugin EVIL", "replay RECORDING --plugin addr_adv"],
    ...["-j replay RECORDING --plugin addr_adv", "replay RECORDING --plugin fullmesh --option EVIL"],
    ...[
      "report -o -",
      "-j report -o -",
      "report -o /EVIL/EVIL",
      "report --addresses EVIL",
      "report -o - --config FILE",
    ],
  ],
  mptcpize: [
    ...["EVIL", "--EVIL", "help EVIL", "enable EVIL", "enable --how EVIL x", "disable EVIL", "status EVIL"],
    ...["status --json EVIL", "run EVIL", "run --EVIL", "run --how=EVIL true", "run --argv0 EVIL /EVIL/EVIL"],
    ...["run --dry-run /EVIL/EVIL", "attach --pid EVIL"],
  ],
  mptcpd: [
    ...["EVIL", "--EVIL", "--config EVIL --check", "--config FILE --check", "--config PLUGINS --check"],
    ...[
      "--config /dev/null --log EVIL --check",
      "--config /dev/null --plan",
      "--config /dev/null --runtime-dir /EVIL/EVIL",
    ],
    ...["--config /dev/null --load-plugins EVIL --check", "--config /dev/null --path-manager EVIL --check"],
    ...[
      "--config /dev/null --addr-flags EVIL --check",
      "--config PLUGINS --plan",
      "--config PLUGINS --runtime-dir /nowhere/x",
    ],
  ],
};

describe("text that others can choose reaches the terminal only escaped", { skip: requires() }, () => {
  let lab: Lab;
  let host: Host;
  const files = new Map<string, string>();
  before(async () => {
    lab = await Lab.create();
    host = await lab.host("one");
    const script = `ip link add name "$(printf "$1")" type veth && ip link set dev "$(printf "$1")" up &&
      ip address add 10.0.0.1/24 dev "$(printf "$1")" && ip mptcp endpoint add 10.0.0.1 dev "$(printf "$1")" subflow`;
    await host.run("bash", "-c", script, "bash", evilInterface);
    const quoted = JSON.stringify(evil);
    const bare = evil.replaceAll("\n", "");
    const write = (name: string, text: string) => {
      files.set(name, lab.freshPath(name));
      writeFileSync(files.get(name) ?? "", text);
    };
    write("FILE", `[${bare}]\n${bare}=1\n[core]\nlog=\u202e\n[path x]\nmatch-address=\u2066\n`);
    write(
      "PLUGINS",
      `[core]\nload-plugins=\u202ex\npath-manager=\u202ex\nplugin-dir=${lab.freshPath("none")}\n`,
    );
    write(
      "RECORDING",
      [
        `{"mptcpctl":"recording","version":1,"time":${quoted},"kernel":${quoted}}`,
        `{"at":0,${quoted}:${quoted},"warning":${quoted}}`,
        "",
      ].join("\n"),
    );
  });
  after(() => lab?.close());

  for (const [program, lines] of Object.entries(commands))
    it(`by ${program}, whatever is asked of it`, () => {
      for (const line of lines) {
        const words = line.split(" ").map((word) => files.get(word) ?? word.replaceAll("EVIL", evil));
        const { stdout, stderr } = run(program, words);
        for (const text of [stdout, stderr]) {
          assert.doesNotMatch(
            text,
            /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\ufffd](?<![\n\t])/u,
            `${line}: ${JSON.stringify(text)}`,
          );
          assert.doesNotMatch(text, /^mptcpd: forged/m, line);
        }
        if (/^-jp? /.test(line) && stdout !== "") for (const row of rowsOf(stdout)) JSON.parse(row);
      }
    });

  /** -j of some is a value, of others a value on each line. */
  function rowsOf(text: string): string[] {
    return /^\[|^\{\n/.test(text) || !text.trimEnd().includes("\n") ? [text] : text.trimEnd().split("\n");
  }

  function run(program: string, words: readonly string[]) {
    const command = [
      `--net=${host.path}`,
      "--",
      "timeout",
      "-s",
      "KILL",
      "60",
      join(checkout, "bin", program),
      ...words,
    ];
    return spawnSync("nsenter", command, {
      encoding: "utf8",
      cwd: lab.freshPath(".").replace(/\/[^/]*$/, ""),
    });
  }
});

describe("programs write to the terminal", () => {
  it("by src/base/command-line/terminal.ts alone", () => {
    const exceptions = new Map([
      ["base/command-line/terminal.ts", "escapes"],
      ["control/endpoints/namespace.ts", "writes its lock's file"],
      ["base/log/sinks.ts", "escapes each message, and adds colours"],
      ["lab/tour/stage.ts", "escapes all but colours"],
      ["lab/kit/traffic.ts", "says what it measured to the lab, which reads it"],
      ["path-managers/runtime/run-in-thread.ts", "redirects what path managers print to the log"],
      ["programs/mptcpctl/main.ts", "waits for the output to drain"],
      ["programs/mptcpize/main.ts", "listens for its errors"],
      ["programs/mptcpd/one-shots.ts", "listens for its errors"],
    ]);
    const source = join(checkout, "src");
    const writing = readdirSync(source, { recursive: true, encoding: "utf8" })
      .filter((name) => name.endsWith(".ts"))
      .filter((name) =>
        /\bconsole\.\w+\(|process\.(stdout|stderr)\b|\bwriteSync\(/.test(
          readFileSync(join(source, name), "utf8"),
        ),
      );
    assert.deepEqual(
      writing.filter((name) => !exceptions.has(name)),
      [],
    );
    for (const name of [
      "programs/mptcpctl/main.ts",
      "programs/mptcpize/main.ts",
      "programs/mptcpd/one-shots.ts",
    ])
      assert.doesNotMatch(
        readFileSync(join(source, name), "utf8"),
        /process\.(stdout|stderr)\.write\(/,
        name,
      );
  });
});
