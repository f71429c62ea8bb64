import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import fc from "fast-check";
import { version } from "../../../../src/base/version.ts";
import { notifyFlags } from "../../../../src/control/config/config.ts";
import { endpointFlags } from "../../../../src/kernel/mptcp-pm.ts";
import { checkout } from "../../../../src/lab/kit/checkout.ts";
import { parseArguments } from "../../../../src/programs/mptcpd/arguments.ts";
import { options } from "../../../../src/programs/mptcpd/options.ts";

const parse = (...argv: string[]) => parseArguments(argv, {});

function settingsOf(...argv: string[]) {
  const command = parse(...argv);
  assert.equal(command.kind, "run", "text" in command ? command.text : "");
  return command.kind === "run" ? command : assert.fail();
}

const overridesOf = (...argv: string[]) => settingsOf(...argv).overrides;

function errorOf(...argv: string[]): string {
  const command = parse(...argv);
  assert.equal(command.kind, "usageError");
  const [message = "", ...rest] = (command.kind === "usageError" ? command.text : "").split("\n");
  assert.deepEqual(rest, ["Try `mptcpd --help' or `mptcpd --usage' for more information.", ""]);
  return message;
}

describe("mptcpd without options", () => {
  it("runs by the default file, and keeps state in /run/mptcpd", () => {
    assert.deepEqual(parse(), {
      kind: "run",
      overrides: {},
      configFile: undefined,
      runtimeDir: "/run/mptcpd",
      check: false,
      plan: false,
      reload: false,
      debug: false,
    });
  });

  it("keeps state where systemd says", () => {
    const runtimeDirOf = (value: string, ...argv: string[]) => {
      const command = parseArguments(argv, { RUNTIME_DIRECTORY: value });
      return command.kind === "run" ? command.runtimeDir : assert.fail();
    };
    assert.equal(runtimeDirOf("/run/a"), "/run/a");
    assert.equal(runtimeDirOf("/run/a:/run/b"), "/run/a");
    assert.equal(runtimeDirOf(""), "/run/mptcpd");
    assert.equal(runtimeDirOf("/run/a", "--runtime-dir=/x"), "/x");
  });
});

describe("options of mptcpd", () => {
  it("are all of the C program's", () => {
    assert.deepEqual(
      overridesOf(
        ...["--log=journal", "--notify-flags=existing,skip_link_local", "--addr-flags=subflow,backup"],
        ...["--plugin-dir=/p", "--path-manager=sspi", "--load-plugins=addr_adv,sspi"],
      ),
      {
        log: "journal",
        notifyFlags: notifyFlags.of("existing", "skip_link_local"),
        addressFlags: endpointFlags.of("subflow", "backup"),
        pluginDirectory: "/p",
        pathManagers: ["sspi"],
        loadPlugins: ["addr_adv", "sspi"],
      },
    );
  });

  it("are new ones too", () => {
    const { configFile, runtimeDir, check, plan, debug } = settingsOf(
      ...["--config", "f", "--runtime-dir", "r", "--check", "--plan", "--debug"],
    );
    assert.deepEqual([configFile, runtimeDir, check, plan, debug], ["f", "r", true, true, true]);
  });

  it("take their argument after = or as the next word, whatever it looks like", () => {
    assert.deepEqual(overridesOf("--path-manager", "a=b").pathManagers, ["a=b"]);
    assert.deepEqual(overridesOf("--path-manager=a=b,c").pathManagers, ["a=b", "c"]);
    assert.equal(settingsOf("--config", "--check").configFile, "--check");
  });

  it("may be clusters of letters", () => {
    assert.equal(overridesOf("-lsyslog").log, "syslog");
    assert.equal(overridesOf("-l", "null").log, "null");
    const { debug, overrides } = settingsOf("-dl", "syslog");
    assert.deepEqual([debug, overrides.log], [true, "syslog"]);
    assert.equal(overridesOf("-ddlnull").log, "null");
  });

  it("may be abbreviated, new ones giving way to the C program's", () => {
    assert.equal(settingsOf("--deb").debug, true);
    assert.equal(overridesOf("--pl=/x").pluginDirectory, "/x");
    assert.equal(settingsOf("--pla").plan, true);
    assert.equal(settingsOf("--ru=/x").runtimeDir, "/x");
    assert.equal(overridesOf("--log=null").log, "null");
  });

  it("may be repeated: the last one wins", () => {
    assert.equal(overridesOf("-lnull", "--log=syslog").log, "syslog");
  });

  it("end at --", () => {
    assert.equal(settingsOf("-d", "--").debug, true);
    assert.equal(errorOf("--", "-d"), "mptcpd: Too many arguments");
  });

  it("undo the file's flags when they are empty", () => {
    assert.deepEqual(overridesOf("--addr-flags=", "--notify-flags="), {
      addressFlags: endpointFlags.of("subflow"),
      notifyFlags: notifyFlags.of(),
    });
  });
});

describe("wrong usage", () => {
  for (const [argv, message] of [
    [["--bogus"], "unrecognized option '--bogus'"],
    [["--bogus=1"], "unrecognized option '--bogus=1'"],
    [["-x"], "invalid option -- 'x'"],
    [["-dx"], "invalid option -- 'x'"],
    [["--lo"], "option '--lo' is ambiguous; possibilities: '--load-plugins' '--log'"],
    [["--c"], "option '--c' is ambiguous; possibilities: '--check' '--config'"],
    [["--log"], "option '--log' requires an argument"],
    [["-l"], "option requires an argument -- 'l'"],
    [["-dl"], "option requires an argument -- 'l'"],
    [["--debug=1"], "option '--debug' doesn't allow an argument"],
    [["--deb="], "option '--debug' doesn't allow an argument"],
    [["foo"], "Too many arguments"],
    [["-"], "Too many arguments"],
    [["foo", "-d"], "Too many arguments"],
    [["foo", "-x"], "invalid option -- 'x'"],
    [["--log=x"], `--log: "x" is unknown: allowed are stderr, syslog, journal or null`],
    [["-l", "x"], `-l: "x" is unknown: allowed are stderr, syslog, journal or null`],
    [["--log="], "--log: is empty: allowed are stderr, syslog, journal or null"],
    [["--plugin-dir="], "--plugin-dir: is empty: give a value, or leave it out"],
    [["--path-manager="], "--path-manager: is empty: give a value, or leave it out"],
    [["--load-plugins="], "--load-plugins: is empty: give a value, or leave it out"],
    [["--load-plugins=,"], "--load-plugins: has an empty item: separate items by one comma"],
    [["--config="], "--config: is empty: give a value, or leave it out"],
    [
      ["--addr-flags=signal,fullmesh"],
      "--addr-flags: has both signal and fullmesh: the kernel takes one of them",
    ],
  ] as const) {
    it(`${argv.join(" ")}: ${message}`, () => assert.equal(errorOf(...argv), `mptcpd: ${message}`));
  }

  it("is a flag that nobody knows", () => {
    assert.match(
      errorOf("--addr-flags=subflow,foo"),
      /^mptcpd: --addr-flags: "foo" is unknown: allowed are signal,/,
    );
  });

  it("never throws, whatever the words", () => {
    const word = fc.oneof(
      fc.string(),
      fc.constantFrom("--", "-l", "--log=null", "-d", "--addr-flags=", "--p", "--=x"),
    );
    fc.assert(
      fc.property(fc.array(word), (argv) => ["run", "print", "usageError"].includes(parse(...argv).kind)),
      {
        numRuns: 3000,
      },
    );
  });
});

describe("printed texts", () => {
  const textOf = (...argv: string[]) => {
    const command = parse(...argv);
    return command.kind === "print" ? command.text : assert.fail(command.kind);
  };

  it("--version is that of package.json", () => {
    const json: { version: string } = JSON.parse(readFileSync(join(checkout, "package.json"), "utf8"));
    assert.equal(version, json.version);
    for (const option of ["-V", "--version", "--v"]) assert.equal(textOf(option), `mptcpd ${version}\n`);
  });

  it("--help and --usage name every option, in lines of at most 79 characters", () => {
    for (const text of [textOf("--help"), textOf("-?"), textOf("--usage")]) {
      for (const { long, argument } of options)
        assert.ok(text.includes(argument ? `--${long}=${argument}` : `--${long}`));
      for (const line of text.split("\n")) assert.ok(line.length <= 79, line);
      assert.ok(text.endsWith("\n") && !text.endsWith("\n\n"));
    }
  });

  it("--help is laid out as argp's", () => {
    assert.match(textOf("--help"), /^Usage: mptcpd \[OPTION\.\.\.\]\n/);
    assert.match(textOf("--help"), /\n {2}-l, --log=DEST {13}Log to DEST: stderr/);
    assert.match(textOf("--help"), /\n {6}--load-plugins=PLUGINS Load these/);
    assert.match(textOf("--usage"), /^Usage: mptcpd \[-d\?V\] \[-l DEST\] \[--addr-flags=FLAGS\]/);
  });

  it("come first or not at all: the first that prints or is wrong decides", () => {
    assert.equal(textOf("foo", "-V", "--bogus"), `mptcpd ${version}\n`);
    assert.equal(errorOf("--bogus", "-V"), "mptcpd: unrecognized option '--bogus'");
  });
});
