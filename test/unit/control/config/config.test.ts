import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import fc from "fast-check";
import {
  ConfigError,
  containerRule,
  defaultConfig,
  notifyFlags,
} from "../../../../src/control/config/config.ts";
import { type Overrides, parseConfig } from "../../../../src/control/config/load.ts";
import { core, path } from "../../../../src/control/config/schema.ts";
import { classOf } from "../../../../src/control/policy/address-state.ts";
import { type Address, addressFlags } from "../../../../src/kernel/addresses.ts";
import { endpointFlags } from "../../../../src/kernel/mptcp-pm.ts";
import { canonicalIp } from "../../../../src/kernel/netlink/ip.ts";
import { checkout } from "../../../../src/lab/kit/checkout.ts";

const load = (text: string, overrides: Overrides = {}) =>
  parseConfig(Buffer.from(text), { file: "f.conf", overrides });
const configOf = (text: string, overrides?: Overrides) => load(text, overrides).config;

function errorsOf(text: string, overrides?: Overrides): readonly string[] {
  try {
    load(text, overrides);
  } catch (error) {
    assert.ok(error instanceof ConfigError);
    assert.equal(error.code, "ECONFIG");
    return error.lines;
  }
  return assert.fail("the file was accepted");
}

describe("mptcpd.conf", () => {
  it("may be empty: every key has a default", () => {
    assert.deepEqual(load(""), { config: defaultConfig, file: "f.conf", warnings: [], notices: [] });
    assert.deepEqual(configOf("").paths, [containerRule]);
    assert.equal(configOf("").addressFlags.toString(), "subflow");
    assert.equal(configOf("").removalDelay, 2000);
  });

  it("sets every key of [core]", () => {
    const text = `[core]
      log=journal
      plugin-dir=/x
      path-manager=fullmesh, heal
      addr-flags=subflow , backup,
      notify-flags=existing,check_route
      load-plugins=addr_adv , sspi
      on-stop=remove
      limits=keep
      removal-delay=0.5
      plugin-faults=3
      kernel-path-manager=keep`;
    assert.deepEqual(load(text), {
      config: {
        log: "journal",
        pluginDirectory: "/x",
        pathManagers: ["fullmesh", "heal"],
        loadPlugins: ["addr_adv", "sspi"],
        addressFlags: endpointFlags.of("subflow", "backup"),
        notifyFlags: notifyFlags.of("existing", "check_route"),
        onStop: "remove",
        limits: "keep",
        removalDelay: 500,
        pluginFaults: 3,
        kernelPathManager: "keep",
        plugins: new Map(),
        paths: [containerRule],
        origins: { pathManagers: "f.conf:4: path-manager", loadPlugins: "f.conf:7: load-plugins" },
      },
      file: "f.conf",
      warnings: [],
      notices: [],
    });
  });

  it("has rules in the file's order, which take the place of the built-in one", () => {
    const { paths } = configOf(`[path lte]
match-interface=wwan*, usb0
match-kind=physical
match-address=10.0.0.0/8 , FD00:0::/8,192.0.2.1
flags=signal
priority=-5
max=1
port=8443
bypass-tunnel=yes
[path rest]
ignore=yes`);
    assert.deepEqual(paths, [
      {
        name: "lte",
        source: "f.conf:1",
        matchInterface: ["wwan*", "usb0"],
        matchKind: ["physical"],
        matchAddress: [
          { family: 4, address: "10.0.0.0", length: 8 },
          { family: 6, address: "fd00::", length: 8 },
          { family: 4, address: "192.0.2.1", length: 32 },
        ],
        ignore: false,
        flags: endpointFlags.of("signal"),
        priority: -5,
        max: 1,
        port: 8443,
        bypassTunnel: true,
      },
      { ...containerRule, name: "rest", source: "f.conf:10", matchInterface: undefined },
    ]);
  });

  for (const [line, message] of [
    ["log=bogus", `log: "bogus" is unknown: allowed are stderr, syslog, journal or null`],
    [
      "log=jornal",
      `log: "jornal" is unknown: allowed are stderr, syslog, journal or null (did you mean journal?)`,
    ],
    ["log=", "log: is empty: allowed are stderr, syslog, journal or null"],
    ["plugin-dir=", "plugin-dir: is empty: give a value, or leave it out"],
    ["path-manager=", "path-manager: is empty: give a value, or leave it out"],
    ["load-plugins=", "load-plugins: is empty: give a value, or leave it out"],
    ["load-plugins=,", "load-plugins: has an empty item: separate items by one comma"],
    ["load-plugins=a,,b", "load-plugins: has an empty item: separate items by one comma"],
    [
      "addr-flags=subflow,implicit",
      `addr-flags: "implicit" is unknown: allowed are signal, subflow, backup, fullmesh or laminar`,
    ],
    ["addr-flags=signal,fullmesh", "addr-flags: has both signal and fullmesh: the kernel takes one of them"],
    [
      "notify-flags=Existing",
      `notify-flags: "Existing" is unknown: allowed are existing, skip_link_local, skip_loopback or check_route (did you mean existing?)`,
    ],
    ["limits=lower", `limits: "lower" is unknown: allowed are raise or keep`],
    ["on-stop=delete", `on-stop: "delete" is unknown: allowed are keep or remove`],
    [
      "removal-delay=2s",
      `removal-delay: "2s" is not a number of seconds: allowed are 0 to 86400, fractions such as 0.5 too`,
    ],
    [
      "removal-delay=99999",
      "removal-delay: is more than a day: allowed are 0 to 86400, fractions such as 0.5 too",
    ],
  ] as const) {
    it(`refuses ${line}`, () => assert.deepEqual(errorsOf(`[core]\n${line}`), [`f.conf:2: ${message}`]));
  }

  for (const [line, message] of [
    ["flags=", "flags: is empty: give a value, or leave it out"],
    ["match-interface=eth[0", `match-interface: "eth[0" is not a glob: allowed are *, ? and [...]`],
    [
      "match-address=10.0.0.1/8",
      `match-address: "10.0.0.1/8" has bits beyond its length: write 10.0.0.0/8 or 10.0.0.1/32`,
    ],
    [
      "match-address=eth0",
      `match-address: "eth0" is not an address or network such as 10.0.0.0/8 or fd00::/8`,
    ],
    ["match-address=::/129", `match-address: "::/129" has no valid prefix length: 0 to 128 for IPv6`],
    ["ignore=true", `ignore: "true" is unknown: allowed are yes or no`],
    ["priority=40000", `priority: "40000" is not a whole number from -32768 to 32767`],
    ["max=0", `max: "0" is not a whole number from 1 to 255`],
    ["port=http", `port: "http" is not a whole number from 1 to 65535`],
    ["port=80", "port: needs the flag signal and not subflow, has subflow; add flags=signal"],
    [
      "flag=signal",
      "flag is not a key of [path x]: known are match-interface, match-kind, match-address, ignore, flags, priority, max, port and bypass-tunnel (did you mean flags?)",
    ],
  ] as const) {
    it(`refuses ${line} in a rule`, () =>
      assert.deepEqual(errorsOf(`[path x]\n${line}`), [`f.conf:2: ${message}`]));
  }

  it("refuses a port with signal and subflow, as the kernel does", () => {
    assert.match(
      errorsOf("[path x]\nport=80\nflags=signal,subflow")[0] ?? "",
      /^f\.conf:2: port: needs the flag signal/,
    );
  });

  it("reports every fault, in the order of the lines", () => {
    assert.deepEqual(
      errorsOf("[core]\nlog=x\nbad\n[path p]\nmax=0\nfoo=1\nport=0").map((line) => line.split(":")[1]),
      ["2", "3", "5", "6", "7"],
    );
  });

  it("reports at most a hundred of them, and how many are left out", () => {
    const lines = errorsOf("bad\n".repeat(250));
    assert.equal(lines.length, 101);
    assert.equal(lines.at(-1), "f.conf: and 150 more like these");
  });

  it("warns of keys of [core] that it does not know", () => {
    const { warnings } = load("[core]\nlogs=null");
    assert.equal(warnings.length, 1);
    assert.match(
      warnings[0] ?? "",
      /^f\.conf:2: logs is not a key of \[core\]: .* \(did you mean log\?\); it is ignored$/,
    );
  });

  it("keeps what [plugin NAME] sections say for the plugins", () => {
    const text = "[plugin foo]\ncount=1\n# …\nwide=yes\n[plugin bar]\nexec=/usr/libexec/bar  -x 1\ny=2";
    assert.deepEqual(
      configOf(text).plugins,
      new Map([
        [
          "foo",
          {
            file: "f.conf",
            line: 1,
            entries: [
              { key: "count", value: "1", line: 2 },
              { key: "wide", value: "yes", line: 4 },
            ],
            exec: undefined,
          },
        ],
        [
          "bar",
          {
            file: "f.conf",
            line: 5,
            entries: [{ key: "y", value: "2", line: 7 }],
            exec: ["/usr/libexec/bar", "-x", "1"],
          },
        ],
      ]),
    );
  });

  it("wants the whole path of a plugin's program", () => {
    for (const given of ["bar", "./bar -x", ""])
      assert.deepEqual(errorsOf(`[plugin bar]\nexec=${given}`), [
        `f.conf:2: exec: "${given}" does not begin with the whole path of a program, such as /usr/libexec/my-manager`,
      ]);
  });

  it("warns of sections of others", () => {
    const { warnings } = load("[wifi]\nx=1");
    assert.match(warnings[0] ?? "", /^f\.conf:1: "\[wifi\]" is an unknown section and is ignored/);
  });

  for (const section of ["path", "Core", "core x", "path a b", "pth a", "path ü", "paths x", "plugin"]) {
    it(`refuses [${section}], which looks like one of its own`, () => {
      assert.match(errorsOf(`[${section}]`)[0] ?? "", /is not a section: known are \[core\]/);
    });
  }

  it("warns of what cannot take effect", () => {
    const { warnings } = load("[path a]\nignore=yes\nmax=1\n[path b]\npriority=1");
    assert.deepEqual(warnings, [
      "f.conf:3: max has no effect in [path a]: ignore=yes",
      "f.conf:4: [path b] is never reached: [path a] matches everything",
    ]);
  });

  for (const [earlier, later] of [
    ["match-interface=eth*", "match-interface=eth0"],
    ["match-interface=eth*", "match-interface=eth0*,eth1?\nmatch-kind=vlan"],
    ["match-interface=a,b\nmatch-kind=v*", "match-interface=b\nmatch-kind=veth"],
    ["match-address=10.0.0.0/8,fd00::/8", "match-address=10.1.0.0/16"],
  ])
    it(`warns that ${later?.replace("\n", ", ")} is never reached behind ${earlier?.replace("\n", ", ")}`, () => {
      const { warnings } = load(`[path a]\n${earlier}\n[path b]\n${later}`);
      assert.match(
        warnings.join(),
        /: \[path b\] is never reached: \[path a\] matches everything that it does$/,
      );
    });

  for (const [earlier, later] of [
    ["match-interface=eth0", "match-interface=eth*"],
    ["match-interface=eth*\nmatch-kind=vlan", "match-interface=eth0"],
    ["match-interface=e?h*", "match-interface=eth*"],
    ["match-address=10.0.0.0/8", "match-address=10.0.0.0/7"],
    ["match-address=10.0.0.0/8", "match-kind=veth"],
  ])
    it(`does not, where ${later} may match something that ${earlier?.replace("\n", ", ")} does not`, () =>
      assert.deepEqual(load(`[path a]\n${earlier}\n[path b]\n${later}`).warnings, []));
});

describe("a condition that can never match", () => {
  const noMeaning = (sign: string, advice = "allowed are *, ? and [...]") =>
    `"${sign}" has no meaning in a glob; ${advice}`;
  const leaveOut = "to leave something out, put a section with ignore=yes before this one";
  const names = "names have no blanks, / and :, and at most 127 bytes";
  const kinds = "kinds have lower-case letters, digits and _ . - only";
  for (const [line, item, why] of [
    ["match-interface=!lo", "!lo", noMeaning("!", leaveOut)],
    ["match-interface=eth*,!eth1", "!eth1", noMeaning("!", leaveOut)],
    ["match-interface=~^eth", "~^eth", noMeaning("~")],
    ["match-interface=^eth", "^eth", noMeaning("^")],
    ["match-interface=eth[01]$", "eth[01]$", noMeaning("$")],
    ["match-interface=eth+", "eth+", noMeaning("+")],
    ["match-interface=eth0|eth1", "eth0|eth1", noMeaning("|")],
    ["match-interface=(eth0)", "(eth0)", noMeaning("(")],
    ["match-interface=eth0:1", "eth0:1", names],
    ["match-interface=/sys/class/net/eth0", "/sys/class/net/eth0", names],
    ["match-interface=eth 0", "eth 0", names],
    ["match-interface=eth[:/]*", "eth[:/]*", names],
    [`match-interface=${"?".repeat(128)}`, `${"?".repeat(57)}...`, names],
    ["match-kind=!veth", "!veth", noMeaning("!", leaveOut)],
    ["match-kind=Ethernet", "Ethernet", "Linux calls that kind physical"],
    ["match-kind=wifi", "wifi", "Linux calls that kind physical"],
    ["match-kind=tap", "tap", "Linux calls that kind tun"],
    ["match-kind=VLAN", "VLAN", kinds],
    ["match-kind=[A-Z]*", "[A-Z]*", kinds],
  ] as const)
    it(`is refused: ${line.slice(0, 60)}`, () => {
      const key = line.split("=")[0];
      assert.deepEqual(errorsOf(`[path x]\n${line}`), [
        `f.conf:2: ${key}: "${item}" can never match: ${why}`,
      ]);
    });

  it("is refused: IPv4 networks in the form of IPv6", () => {
    for (const item of ["::ffff:0:0/96", "::ffff:10.0.0.0/104", "::ffff:192.0.2.1"])
      assert.match(
        errorsOf(`[path x]\nmatch-address=10.0.0.0/8,${item}`)[0] ?? "",
        /^f\.conf:2: match-address: "::ffff:\S+" can never match: it is IPv4 written as IPv6; write the IPv4 /,
      );
  });

  for (const line of [
    "match-interface=eth0,wl*,en?[0-9],[!a]x,br-lan,eth0.5,eth@if3,[~]x,uplink-é",
    "match-interface=lan+guest",
    "match-kind=physical,ip6*,[bv]*,anything-new",
    "match-address=::/0,::fffe:0:0/95,0.0.0.0/0,240.0.0.0/4",
  ])
    it(`is not: ${line}`, () => assert.deepEqual(load(`[path x]\n${line}`).warnings, []));

  for (const [line, why] of [
    ["match-interface=lo", "addresses of lo are never endpoints"],
    ...["127.0.0.0/8", "169.254.0.0/16,fe80::/10", "224.0.0.0/4", "ff00::/8", "0.0.0.0,::1"].map(
      (list) =>
        [
          `match-address=${list}`,
          "loopback, link-local, multicast and unspecified addresses are never endpoints",
        ] as const,
    ),
  ] as const)
    it(`is refused where nothing that it matches is ever an endpoint, unless it is ignored: ${line}`, () => {
      const key = line.split("=")[0];
      assert.deepEqual(errorsOf(`[path x]\n${line}`), [`f.conf:2: ${key}: ${why}`]);
      assert.deepEqual(load(`[path x]\nignore=yes\n${line}`).warnings, [
        `f.conf:1: [path x] has no effect: ${why}`,
      ]);
    });

  it("agrees with the policy on which addresses are never endpoints", () => {
    const classOfText = (address: string) => classOf({ ...anAddress, address });
    const addresses = fc.oneof(
      fc.ipV4(),
      fc.ipV6().map((text) => canonicalIp(text) ?? assert.fail(text)),
      fc.constantFrom(
        "::1",
        "::",
        "::2",
        "fe80::1",
        "febf::1",
        "fec0::1",
        "ff02::1",
        "169.254.0.1",
        "127.1.2.3",
      ),
    );
    fc.assert(
      fc.property(addresses, (address) => {
        const isEver = ["global", "unique-local"].includes(classOfText(address));
        const text = `[path x]\nmatch-address=${address}\nignore=yes`;
        // IPv4 in the form of IPv6 is refused.
        if (!/^::.*\./.test(address)) assert.equal(load(text).warnings.length === 0, isEver, address);
      }),
    );
  });

  it("is warned of if it is nearly the name of a kind", () => {
    assert.deepEqual(load("[path x]\nmatch-kind=brigde").warnings, [
      'f.conf:2: match-kind: "brigde" is not a kind of interface that is known (did you mean bridge?)',
    ]);
  });
});

describe("the command line", () => {
  it("wins over the file, and the file over the defaults", () => {
    const config = configOf("[core]\nlog=null\npath-manager=sspi", { log: "syslog" });
    assert.equal(config.log, "syslog");
    assert.deepEqual(config.pathManagers, ["sspi"]);
    assert.equal(config.onStop, "keep");
  });

  it("decides with the file whether a port can be told to peers", () => {
    const rule = "[path x]\nport=80";
    assert.equal(configOf(rule, { addressFlags: endpointFlags.of("signal") }).paths[0]?.port, 80);
    assert.match(
      errorsOf(`[core]\naddr-flags=signal\n${rule}`, { addressFlags: endpointFlags.of("backup") })[0] ?? "",
      /^f\.conf:4: port:/,
    );
  });
});

describe("existing addresses", () => {
  it("become endpoints whatever notify-flags says", () => {
    assert.ok(configOf("[core]\nnotify-flags=check_route").notifyFlags.has("existing"));
    assert.ok(configOf("", { notifyFlags: notifyFlags.of() }).notifyFlags.has("existing"));
  });

  it("are spoken of when notify-flags leaves them out", () => {
    assert.equal(load("[core]\nnotify-flags=check_route").notices.length, 1);
    assert.equal(load("[core]\nnotify-flags=existing,check_route").notices.length, 0);
    assert.equal(load("[core]\nnotify-flags=").notices.length, 0);
  });
});

describe("the parser", () => {
  it("throws ConfigError and nothing else, whatever the bytes", () => {
    const lines = fc.constantFrom(
      "[core]",
      "[path x]",
      "[path",
      "log=",
      "addr-flags=signal,fullmesh",
      "match-interface=[",
      "match-address=::/0",
      "port=1",
      "flags=signal",
      "\\",
      "=",
      "\r",
      "__proto__=1",
      "constructor=1",
      "[constructor]",
      "[__proto__ x]",
    );
    const text = fc.oneof(
      fc.uint8Array({ maxLength: 200 }),
      fc.string({ unit: "binary" }).map((value) => Buffer.from(value)),
      fc.array(fc.oneof(lines, fc.string())).map((parts) => Buffer.from(parts.join("\n"))),
    );
    fc.assert(
      fc.property(text, (bytes) => {
        try {
          parseConfig(bytes, { file: "f" });
        } catch (error) {
          if (!(error instanceof ConfigError)) throw error;
          for (const line of error.lines) assert.match(line, /^f:\d+: [^\n]+$/);
        }
      }),
      { numRuns: 5000 },
    );
  });
});

describe("the example file that is shipped", () => {
  const example = readFileSync(join(checkout, "packaging/mptcpd.conf"), "utf8");

  it("has the default path manager switched on, and is otherwise as no file at all", () => {
    const { config, warnings, notices } = load(example);
    assert.deepEqual([...warnings, ...notices], []);
    const origins = { pathManagers: config.origins.pathManagers };
    assert.deepEqual(config, { ...defaultConfig, pathManagers: ["addr_adv"], origins });
  });

  /** Keys without a default: what the file shows of them is an example. */
  const examples = ["load-plugins", "match-interface", "match-kind", "match-address", "flags", "max", "port"];
  const [coreText = ""] = example.split(/^# \[/m);
  const [, pathText = ""] = example.split(/^# \[path lte\]$/m);
  const commented = (text: string) =>
    [...text.matchAll(/^# ([a-z-]+)=(.*)$/gm)].map(([, key = "", value = ""]) => [key, value] as const);

  for (const [key, value] of commented(coreText).filter(([key]) => !examples.includes(key)))
    it(`shows the default of ${key}`, () => {
      const { origins: _, ...config } = configOf(`[core]\n${key}=${value}`);
      const { origins: __, ...expected } = defaultConfig;
      assert.deepEqual(config, expected);
    });

  for (const [key, value] of commented(pathText.split(/^# \[/m)[0] ?? "").filter(
    ([key]) => !examples.includes(key),
  ))
    it(`shows the default of ${key} in a [path] section`, () =>
      assert.deepEqual(configOf(`[path x]\n${key}=${value}`).paths, configOf("[path x]").paths));

  it("shows the rule that is built in", () => {
    const [section = ""] = /^# \[path containers\]\n(# [a-z-]+=.*\n)+/m.exec(example) ?? [];
    const [rule] = configOf(section.replace(/^# /gm, "")).paths;
    assert.deepEqual({ ...rule, source: containerRule.source }, containerRule);
  });

  it("shows every key that has a default", () => {
    const shown = commented(example).map(([key]) => key);
    const active = [...example.matchAll(/^([a-z-]+)=/gm)].map(([, key]) => key);
    const keys = [...Object.keys(core.entries), ...Object.keys(path.entries)];
    assert.deepEqual(
      keys.filter((key) => !shown.includes(key) && !active.includes(key)),
      [],
    );
  });

  it("stays valid with everything switched on", () => {
    const everything = example.replace(/^# (?=\[|[a-z-]+=)/gm, "");
    assert.deepEqual(load(everything).warnings, []);
    assert.equal(configOf(everything).paths.length, 3);
  });

  for (const [name, text] of [
    ["it", example],
    ["docs/configuration.md", readFileSync(join(checkout, "docs/configuration.md"), "utf8")],
  ] as const) {
    it(`documents every key: ${name}`, () => {
      for (const key of [...Object.keys(core.entries), ...Object.keys(path.entries)]) {
        assert.ok(text.includes(`${key}=`) || text.includes(`\`${key}\``), `${key} is missing`);
      }
    });
  }
});

const anAddress: Address = {
  ...{ ifIndex: 2, family: 4, address: "", prefixLength: 24, scope: 0, flags: addressFlags.of(), created: 0 },
  ...{ validLifetime: Number.POSITIVE_INFINITY, preferredLifetime: Number.POSITIVE_INFINITY },
};
