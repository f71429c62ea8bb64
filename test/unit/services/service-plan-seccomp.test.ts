import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { refuseWhereSeccompFails, underLauncher } from "../../../src/services/service-plan.ts";
import { launcher, properties, refusal } from "./facts.ts";

describe("an ExecStart= line under the launcher", () => {
  const cases: readonly (readonly [title: string, from: string, to: string])[] = [
    ["keeps its prefixes", "!!-:/bin/a b", `!!-:${launcher} run --how=seccomp -- /bin/a b`],
    ["needs no arguments", "/bin/a", `${launcher} run --how=seccomp -- /bin/a`],
    [
      "keeps quotes, specifiers and variables of its arguments as they are",
      `/bin/a "b  c" '%i' $OPTS \${X} \\x41 \\.`,
      `${launcher} run --how=seccomp -- /bin/a "b  c" '%i' $OPTS \${X} \\x41 \\.`,
    ],
    [
      "keeps the name that @ gives",
      "@-/bin/a zero one",
      `-${launcher} run --how=seccomp --argv0=zero -- /bin/a one`,
    ],
    [
      "quotes that name where it must",
      '@/bin/a "ze ro" one',
      `${launcher} run --how=seccomp "--argv0=ze ro" -- /bin/a one`,
    ],
    ["keeps a specifier in the path", "/opt/%p/bin/a b", `${launcher} run --how=seccomp -- /opt/%p/bin/a b`],
    ["quotes a path with blanks", '"/opt/a b/c" d', `${launcher} run --how=seccomp -- "/opt/a b/c" d`],
    // In the place of the program systemd looks for no variables; in that of an argument it does.
    ["keeps $ in the path", "/opt/$x/a", `${launcher} run --how=seccomp -- /opt/$$x/a`],
    ["keeps $ where : forbids variables", ":/opt/$x/a $b", `:${launcher} run --how=seccomp -- /opt/$x/a $b`],
  ];
  for (const [title, from, to] of cases)
    it(title, () => assert.equal(underLauncher(from, "/unused", [launcher, "--how=seccomp"]), to));

  it("has the place of a program that systemd looks up, and its name", () => {
    assert.equal(
      underLauncher("web -a", "/usr/local/bin/web", [launcher]),
      `${launcher} run --argv0=web -- /usr/local/bin/web -a`,
    );
  });

  it("escapes the launcher's own path", () => {
    assert.equal(underLauncher("/bin/a", "", ["/opt/5% x/mptcpize"]), '"/opt/5%% x/mptcpize" run -- /bin/a');
  });
});

describe("a service that would not work under the supervisor", () => {
  const refuses = (values: Readonly<Record<string, string>>, ...parts: string[]) =>
    assert.throws(
      () => refuseWhereSeccompFails("web.service", launcher, properties(values)),
      refusal("web.service", ...parts),
    );
  const accepts = (values: Readonly<Record<string, string>>) =>
    refuseWhereSeccompFails("web.service", launcher, properties(values));

  it("is one whose main process systemd guesses", () => {
    refuses({ Type: "forking" }, "Type=forking", "PIDFile=");
    accepts({ Type: "forking", PIDFile: "/run/web.pid" });
    for (const Type of ["simple", "exec", "notify", "notify-reload", "dbus", "oneshot", "idle"])
      accepts({ Type });
  });

  it("is one that may not call seccomp(2), as those with @system-service", () => {
    refuses({ SystemCallFilter: "accept bind read write" }, "seccomp", "SystemCallFilter=");
    refuses({ SystemCallFilter: "~ptrace seccomp" }, "seccomp");
    accepts({ SystemCallFilter: "accept read seccomp write" });
    accepts({ SystemCallFilter: "~ptrace reboot" });
  });

  it("is told what it would run under, whether its program is static or --how= asks for it", () =>
    assert.throws(() => refuseWhereSeccompFails("web.service", launcher, properties({ TasksMax: "2" })), {
      message: `web.service would run under the supervisor of ${launcher}, but TasksMax=2 leaves no room for the supervisor's processes`,
    }));

  it("is one whose sandbox hides the launcher", () => {
    refuses({ RootDirectory: "/srv/web" }, "RootDirectory=/srv/web", launcher);
    refuses({ NoExecPaths: "/", ExecPaths: "/usr/sbin" }, "NoExecPaths=/");
  });

  it("is one that leaves no room for the supervisor's processes", () => {
    refuses({ LimitNPROC: "1" }, "LimitNPROC=1");
    refuses({ TasksMax: "2" }, "TasksMax=2");
    accepts({ LimitNPROC: "95000", TasksMax: "infinity" });
  });
});
