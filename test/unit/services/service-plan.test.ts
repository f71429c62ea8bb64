import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { planBpf, planService } from "../../../src/services/service-plan.ts";
import type { How } from "../../../src/services/ways.ts";
import { environmentFile, type Given, launcher, library, refusal, serviceFacts } from "./facts.ts";

function plan(given?: Given, how: How = "auto") {
  return planService(serviceFacts(given), { how, launcher, environmentFile });
}

/** What the launcher says of a program that has these variables of its own. */
function merged(values: Readonly<Record<string, string>>) {
  return { set: new Map(Object.entries(values)) };
}

const seccomp = { way: "seccomp", why: "statically linked", set: new Map<string, string>() } as const;

describe("the plan for a service", () => {
  it("gives a dynamic program the library, and its Go children their variable", () => {
    const { way, section, lines, environmentFile: file, notes } = plan();
    assert.deepEqual([way, section, file, notes], ["preload", "Service", undefined, []]);
    assert.deepEqual(lines, [`Environment=LD_PRELOAD=${library}`, "Environment=GODEBUG=multipathtcp=1"]);
  });

  it("calls the way of a Go program by its name", () => {
    assert.equal(plan({ programs: [{ way: "go" }] }).way, "go");
    assert.equal(plan({ programs: [{ way: "go" }, { way: "preload" }] }).way, "preload");
  });

  it("refuses a program that no way reaches, with the reason", () => {
    const warning = "/usr/sbin/web: setuid root: the loader ignores LD_PRELOAD, it runs as TCP";
    assert.throws(
      () => plan({ programs: [{ way: "none", warnings: [warning] }] }),
      refusal("web.service", warning),
    );
    assert.throws(
      () => plan({ programs: [{}, { way: "none", why: "for another machine" }] }),
      refusal("/usr/sbin/web: for another machine"),
    );
  });

  it("passes on what the launcher warns of, once", () => {
    const warnings = ["net.mptcp.enabled is 0"];
    assert.deepEqual(plan({ programs: [{ warnings }, { warnings }] }).notes, warnings);
  });

  it("says that sockets of a socket unit stay TCP, and what to do", () => {
    const properties = { TriggeredBy: "web.timer web.socket" };
    const [old = ""] = plan({ properties }).notes;
    assert.match(old, /from web\.socket stay .*systemd 252 .*systemctl disable --now web\.socket/);
    const [recent = ""] = plan({ properties, systemdVersion: 257 }).notes;
    assert.match(recent, /mptcpize enable web\.socket/);
    assert.deepEqual(plan({ properties: { TriggeredBy: "web.timer" } }).notes, []);
  });

  it("says so for connections that systemd accepts, and advises no service that is not there", () => {
    const [old = ""] = plan({ accepting: "web.socket" }).notes;
    assert.match(old, /from web\.socket stay .*systemd 252 .*it takes a server that listens by itself$/);
    const [recent = ""] = plan({ accepting: "web.socket", systemdVersion: 257 }).notes;
    assert.match(recent, /mptcpize enable web\.socket$/);
  });

  it("says that an instance is enabled by its template already, whatever the way", () => {
    const unit = { name: "web@a.service", templateName: "web@.service" };
    const dropIns = ["/etc/systemd/system/web@.service.d/50-mptcpize.conf"];
    for (const { notes } of [
      plan({ unit: { ...unit, dropIns } }),
      planBpf(serviceFacts({ unit: { ...unit, dropIns } }), ["/usr/bin/node"]),
    ])
      assert.deepEqual(notes, [
        "web@a.service is enabled by its template web@.service as well: this drop-in goes before that",
      ]);
    const own = ["/etc/systemd/system/web@a.service.d/50-mptcpize.conf"];
    assert.deepEqual(plan({ unit: { ...unit, dropIns: own } }).notes, []);
  });

  it("says that the C mptcpize has been at the unit file", () => {
    const [note = ""] = plan({
      service: ["Environment=LD_PRELOAD=/usr/lib/mptcpize/libmptcpwrap.so.0.0.1", "ExecStart=/usr/sbin/web"],
    }).notes;
    assert.match(note, /web\.service:2 .*mptcpize enable --repair web\.service/);
  });
});

describe("the environment of an enabled service", () => {
  it("keeps the user's specifiers, and takes the library's path as it is", () => {
    const { lines } = plan({
      service: ["Environment=LD_PRELOAD=%h/own.so", "ExecStart=/usr/sbin/web"],
      programs: [merged({ LD_PRELOAD: "%h/own.so:/opt/100%/libmptcpwrap.so", GODEBUG: "multipathtcp=1" })],
    });
    assert.equal(lines[0], "Environment=LD_PRELOAD=%h/own.so:/opt/100%%/libmptcpwrap.so");
  });

  it("quotes what systemd would split or unescape", () => {
    const { lines } = plan({
      programs: [merged({ LD_PRELOAD: `/a\\b.so "c":${library}`, GODEBUG: "x=1,multipathtcp=1" })],
    });
    assert.equal(lines[0], `Environment="LD_PRELOAD=/a\\\\b.so \\"c\\":${library}"`);
  });

  it("brings an environment file of its own where one of the unit's decides", () => {
    const { lines, environmentFile: text } = plan({
      service: ["EnvironmentFile=-/etc/default/web", "ExecStart=/usr/sbin/web"],
      environmentFiles: { "/etc/default/web": { LD_PRELOAD: "/100%.so" } },
      programs: [merged({ LD_PRELOAD: `/100%.so:${library}`, GODEBUG: "multipathtcp=1" })],
    });
    assert.deepEqual(lines, ["Environment=GODEBUG=multipathtcp=1", `EnvironmentFile=${environmentFile}`]);
    assert.match(text ?? "", new RegExp(`^LD_PRELOAD="?/100%\\.so:${library}"?$`, "m"));
    assert.doesNotMatch(text ?? "", /GODEBUG/);
  });

  it("is not promised where a drop-in that sorts later sets it again", () => {
    const where = "/etc/systemd/system/web.service.d/60-own.conf:";
    for (const line of [
      "Environment=LD_PRELOAD=/own.so",
      "Environment=",
      "EnvironmentFile=/etc/default/late",
      "Environment=A=1 'GODEBUG=x=1'",
    ])
      assert.throws(
        () =>
          plan({
            dropIns: { "60-own.conf": [line] },
            environmentFiles: { "/etc/default/late": { LD_PRELOAD: "/own.so" } },
          }),
        refusal(where, "sorts before"),
        line,
      );
    const reset = {
      service: ["EnvironmentFile=/etc/default/web", "ExecStart=/usr/sbin/web"],
      environmentFiles: { "/etc/default/web": { LD_PRELOAD: "/own.so" } },
      dropIns: { "60-own.conf": ["EnvironmentFile=", "EnvironmentFile=/etc/default/web"] },
    };
    assert.throws(() => plan(reset), refusal(where));
  });

  it("is promised where later drop-ins leave it alone, and earlier ones do not", () => {
    const { lines } = plan({
      dropIns: {
        "40-own.conf": ["Environment="],
        "60-own.conf": ["Environment=A=LD", "EnvironmentFile=/late"],
      },
      environmentFiles: { "/late": { B: "1" } },
    });
    assert.equal(lines.length, 2);
  });

  it("is not promised where UnsetEnvironment= takes it away", () => {
    for (const line of ["UnsetEnvironment=A LD_PRELOAD", "UnsetEnvironment=GODEBUG=multipathtcp=1"])
      assert.throws(
        () => plan({ service: ["ExecStart=/usr/sbin/web", line] }),
        refusal("/lib/systemd/system/web.service:3", "takes"),
        line,
      );
    plan({ service: ["ExecStart=/usr/sbin/web", "UnsetEnvironment=LD_PRELOAD", "UnsetEnvironment="] });
    // systemd reads no further than to an escape that it does not know.
    plan({ service: ["ExecStart=/usr/sbin/web", "UnsetEnvironment=A \\. LD_PRELOAD"] });
    plan({ service: ["ExecStart=/usr/sbin/web", "UnsetEnvironment=LD_PRELOAD=/other.so LD_PRELOADS"] });
  });

  it("is not promised for a template whose instances have files of their own that decide", () => {
    const given = {
      unit: { name: "web@.service", template: true },
      service: ["EnvironmentFile=/etc/web/%i", "ExecStart=/usr/sbin/web"],
    };
    plan({ ...given, environmentFiles: { "/etc/web/%i": { A: "1" } } });
    assert.throws(
      () => plan({ ...given, environmentFiles: { "/etc/web/%i": { LD_PRELOAD: "/own.so" } } }),
      refusal("EnvironmentFile=/etc/web/%i sets LD_PRELOAD for some instances"),
    );
  });

  it("is that of a Go program alone where there is no library", () => {
    const result = plan({ programs: [{ way: "go", ...merged({ GODEBUG: "multipathtcp=1" }) }] });
    assert.deepEqual([result.library, result.lines], [undefined, ["Environment=GODEBUG=multipathtcp=1"]]);
  });

  it("is not promised where the sandbox hides the library", () => {
    assert.throws(
      () => plan({ properties: { InaccessiblePaths: "/usr/lib/mptcpize" } }),
      refusal("InaccessiblePaths=/usr/lib/mptcpize", library),
    );
  });
});

describe("a service that runs under the seccomp supervisor", () => {
  it("has its ExecStart= lines rewritten, with what they were", () => {
    const service = ["ExecStart=-/usr/sbin/web -a", "ExecStart=/usr/sbin/web --two"];
    const result = plan({ service, programs: [seccomp, seccomp] });
    assert.equal(result.way, "seccomp");
    assert.equal(result.launcher, launcher);
    assert.deepEqual(result.originalExecStart, ["-/usr/sbin/web -a", "/usr/sbin/web --two"]);
    assert.deepEqual(result.lines, [
      "ExecStart=",
      `ExecStart=-${launcher} run -- /usr/sbin/web -a`,
      `ExecStart=${launcher} run -- /usr/sbin/web --two`,
      "SyslogIdentifier=web",
    ]);
  });

  it("has several commands of one line in lines of their own", () => {
    const service = ["Type=oneshot", "ExecStart=/usr/sbin/web -a ; -/usr/sbin/web ';' -b"];
    assert.deepEqual(plan({ service, programs: [seccomp, seccomp] }).lines, [
      "ExecStart=",
      `ExecStart=${launcher} run -- /usr/sbin/web -a`,
      `ExecStart=-${launcher} run -- /usr/sbin/web ';' -b`,
      "SyslogIdentifier=web",
    ]);
  });

  it("starts with TCP where the supervisor fails, unless the way was asked for", () => {
    assert.equal(
      plan({ programs: [seccomp] }, "seccomp").lines[1],
      `ExecStart=${launcher} run --how=seccomp -- /usr/sbin/web`,
    );
  });

  it("keeps its name in the journal, unless the unit has given it one", () => {
    const identifiers = (service: readonly string[], ...paths: string[]) => {
      const facts = serviceFacts({ service, programs: paths.map(() => seccomp) });
      const programs = facts.programs.map((program, index) => ({ ...program, path: paths[index] ?? "" }));
      const { lines, notes } = planService(
        { ...facts, programs },
        { how: "auto", launcher, environmentFile },
      );
      return { lines: lines.filter((line) => line.startsWith("SyslogIdentifier=")), notes };
    };
    const one = ["ExecStart=/opt/50%%/web"];
    assert.deepEqual(identifiers(one, "/opt/web%"), { lines: ["SyslogIdentifier=web%%"], notes: [] });
    assert.deepEqual(identifiers([...one, "SyslogIdentifier=own"], "/opt/web"), { lines: [], notes: [] });
    assert.equal(
      identifiers([...one, "SyslogIdentifier=own", "SyslogIdentifier="], "/opt/web").lines.length,
      1,
    );
    const two = identifiers([...one, ...one], "/opt/web", "/opt/cache");
    assert.deepEqual(two.lines, []);
    assert.match(two.notes[0] ?? "", /web and cache .*SyslogIdentifier=/);
  });

  it("is told of no_new_privs where that is new to it", () => {
    const notes = (given: Given) => plan({ programs: [seccomp], ...given }).notes;
    assert.match(notes({ asRoot: false })[0] ?? "", /web\.service runs with no_new_privs/);
    assert.deepEqual(notes({ asRoot: false, properties: { NoNewPrivileges: "yes" } }), []);
    assert.deepEqual(notes({ asRoot: true }), []);
  });

  it("is one of whose programs only one is static", () => {
    const service = ["ExecStart=/usr/sbin/web -a", "ExecStart=/usr/sbin/web --two"];
    assert.equal(plan({ service, programs: [{}, seccomp] }).lines.length, 4);
  });

  it("is not promised where a drop-in that sorts later has ExecStart= again", () => {
    assert.throws(
      () =>
        plan({
          programs: [seccomp],
          dropIns: { "90-own.conf": ["ExecStart=", "ExecStart=/usr/sbin/web -x"] },
        }),
      refusal("/etc/systemd/system/web.service.d/90-own.conf:3", "ExecStart="),
    );
  });
});

describe("the BPF way", () => {
  it("attaches at every start, with full rights, and lets the service start where that fails", () => {
    const { way, lines } = planBpf(serviceFacts(), ["/usr/bin/node", "/opt/50% $x/mptcpize.js", "attach"]);
    assert.equal(way, "bpf");
    assert.deepEqual(lines, ['ExecStartPre=-+/usr/bin/node "/opt/50%% $$x/mptcpize.js" attach']);
  });

  it("is not promised where a drop-in that sorts later resets ExecStartPre=", () => {
    assert.throws(
      () => planBpf(serviceFacts({ dropIns: { "60-own.conf": ["ExecStartPre="] } }), ["/usr/bin/node"]),
      refusal("60-own.conf:2", "ExecStartPre="),
    );
  });
});
