import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { DropIn } from "../../../src/services/drop-in.ts";
import { type EnabledFacts, type ProcessFacts, problemsOf } from "../../../src/services/status-problems.ts";
import type { SocketStatus } from "../../../src/services/status-sockets.ts";

const path = "/etc/systemd/system/web.service.d/50-mptcpize.conf";
const writtenAt = 1_000_000;

const dropIn: DropIn = {
  way: "preload",
  library: "/usr/lib/libmptcpwrap.so",
  launcher: undefined,
  originalExecStart: [],
  createdDirectory: true,
  edited: false,
  assignments: [],
  text: "",
};

const fine: EnabledFacts = {
  unit: "web.service",
  user: false,
  path,
  dropIn,
  writtenAt,
  loadState: "loaded",
  needsReload: false,
  dropInsRead: [path],
  missing: undefined,
  execStart: ["/usr/sbin/web"],
  overridden: undefined,
  listeners: [],
  processes: [],
  passed: { listeners: [], sockets: [], accept: false, systemdVersion: 257 },
};

function main(given: Partial<ProcessFacts>): ProcessFacts {
  return { pid: 12, name: "web", startedAt: writtenAt + 1, counts: true, reached: true, ...given };
}

function listener(protocol: "mptcp" | "tcp"): SocketStatus {
  return {
    protocol,
    state: "listen",
    local: { address: "0.0.0.0", port: 80 },
    remote: undefined,
    fallback: false,
    subflows: undefined,
    networkNamespace: 1,
    holders: [{ pid: 12, name: "web" }],
  };
}

function problems(given: Partial<EnabledFacts>): string[] {
  return problemsOf({ ...fine, ...given }).map(({ code, text }) => `${code}: ${text}`);
}

describe("an enabled unit", () => {
  it("has no problem when all of it holds", () => {
    assert.deepEqual(problems({ processes: [main({})] }), []);
  });

  it("that was not restarted since is told so, by the process", () => {
    const processes = [main({ startedAt: writtenAt - 1, reached: false })];
    assert.deepEqual(problems({ processes }), [
      "not-restarted: enabled, but not restarted since: process 12 (web) runs without mptcpize: systemctl restart web.service",
    ]);
  });

  it("of the user's own manager is restarted by that", () => {
    const [problem] = problems({ user: true, processes: [main({ startedAt: 0, reached: false })] });
    assert.match(problem ?? "", /systemctl --user restart web\.service$/);
    const [missing] = problems({ user: true, missing: "/usr/lib/libmptcpwrap.so" });
    assert.match(missing ?? "", /mptcpize enable --user web\.service again$/);
  });

  it("whose program was not reached though it started later is told apart", () => {
    const missed = { processes: [main({ reached: false })] };
    assert.deepEqual(problems(missed), [
      "not-reached: process 12 (web) runs without mptcpize: `mptcpize run -d PROGRAM` tells why; `mptcpize enable --how=seccomp web.service` reaches static programs, too",
    ]);
    const [ofSupervisor] = problems({ ...missed, dropIn: { ...dropIn, way: "bpf" } });
    assert.match(ofSupervisor ?? "", /tells why$/, "the other ways reach static ones anyway");
  });

  it("is not blamed for processes that do not count, or cannot be seen", () => {
    const processes = [main({ counts: false, reached: false }), main({ reached: undefined })];
    assert.deepEqual(problems({ processes }), []);
  });

  it("that systemd does not know any more can only be disabled", () => {
    assert.deepEqual(problems({ loadState: "not-found", missing: "/x" }), [
      "no-unit: systemd cannot load web.service (not-found): mptcpize disable web.service",
    ]);
  });

  it("waits for a daemon-reload before anything is said of what systemd reads", () => {
    assert.deepEqual(problems({ needsReload: true, dropInsRead: [] }), [
      "needs-reload: files of the unit have changed since systemd read them: systemctl daemon-reload",
    ]);
  });

  it("may have a drop-in that another of its name hides", () => {
    const overridden = { what: "LD_PRELOAD", where: "x" };
    assert.deepEqual(problems({ dropInsRead: [], overridden }), [
      `hidden: systemd does not read ${path}: another directory has a file of that name`,
    ]);
  });

  it("may have an edited drop-in, a missing library, a setting that wins", () => {
    const found = problems({
      dropIn: { ...dropIn, edited: true },
      missing: "/usr/lib/libmptcpwrap.so",
      overridden: { what: "LD_PRELOAD", where: "/etc/web.env" },
    });
    assert.deepEqual(found, [
      `edited: ${path} has been edited since it was written`,
      "missing-file: /usr/lib/libmptcpwrap.so is missing: install it, or mptcpize enable web.service again",
      "overridden: /etc/web.env overrides LD_PRELOAD of the drop-in",
    ]);
  });

  it("under the launcher must have the ExecStart= that was copied", () => {
    const seccomp: DropIn = { ...dropIn, way: "seccomp", originalExecStart: ["/usr/sbin/web"] };
    assert.deepEqual(problems({ dropIn: seccomp }), []);
    assert.deepEqual(problems({ dropIn: seccomp, execStart: ["/usr/sbin/web -v"] }), [
      "exec-start-changed: the unit's ExecStart= has changed since it was enabled: mptcpize enable web.service again",
    ]);
    assert.deepEqual(problems({ execStart: ["/usr/sbin/web -v"] }), [], "other ways copy nothing");
  });

  it("gets the TCP sockets of its socket unit until that is enabled, too", () => {
    const passed = (protocol: "mptcp" | "tcp") => ({
      ...fine.passed,
      listeners: [listener(protocol)],
      sockets: ["web.socket"],
    });
    assert.deepEqual(problems({ passed: passed("tcp") }), [
      "passed-sockets: TCP listeners come from web.socket: mptcpize enable web.socket",
    ]);
    assert.deepEqual(problems({ passed: passed("mptcp") }), []);
    assert.deepEqual(problems({ passed: { ...passed("tcp"), systemdVersion: 252 } }), [
      "passed-sockets: TCP listeners come from web.socket, and systemd 252 makes no MPTCP sockets; if the service can listen by itself: systemctl disable --now web.socket",
    ]);
  });

  it("is not to be restarted for a connection that systemd accepted: that would end it", () => {
    const passed = { ...fine.passed, accept: true, listeners: [listener("tcp")], sockets: ["web.socket"] };
    const processes = [main({ startedAt: writtenAt - 1, reached: false })];
    assert.deepEqual(problems({ unit: "web@.service", passed, processes }), [
      "passed-sockets: TCP listeners come from web.socket: mptcpize enable web.socket",
    ]);
    assert.deepEqual(problems({ unit: "web@.service", passed: { ...passed, systemdVersion: 252 } }), [
      "passed-sockets: TCP listeners come from web.socket, and systemd 252 makes no MPTCP sockets: use a server that listens by itself",
    ]);
  });

  it("is named so that a shell and systemctl take it: all instances of a template, backslashes in quotes", () => {
    const processes = [main({ startedAt: writtenAt - 1, reached: false })];
    const advice = (unit: string) => problems({ unit, processes })[0]?.replace(/.*: /, "");
    assert.equal(advice("web@.service"), "systemctl restart 'web@*.service'");
    assert.equal(advice("web@a\\x2db.service"), "systemctl restart 'web@a\\x2db.service'");
  });

  it("that is a socket unit must not listen with TCP any more", () => {
    const socket = { ...fine, unit: "web.socket", dropIn: { ...dropIn, way: "socket" as const } };
    assert.deepEqual(
      problemsOf({ ...socket, listeners: [listener("tcp")] }).map(({ text }) => text),
      ["it still listens with TCP: systemctl restart web.socket"],
    );
    assert.deepEqual(problemsOf({ ...socket, listeners: [listener("mptcp")] }), []);
  });
});
