import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  type CommandResult,
  parseShownWords,
  type RunCommand,
  Systemctl,
} from "../../../../src/services/systemd/systemctl.ts";
import { UnitSyntaxError } from "../../../../src/services/systemd/unit-syntax.ts";

/** A systemctl that gives this answer, and what it was called with. */
function systemctl({ user = false, ...answer }: Partial<CommandResult> & { user?: boolean } = {}) {
  const calls: string[] = [];
  const run: RunCommand = async (command, args) => {
    calls.push([command, ...args].join(" "));
    return { stdout: "", stderr: "", code: 0, ...answer };
  };
  return { calls, systemctl: new Systemctl({ user, run }) };
}

describe("systemctl", () => {
  it("tells its version", async () => {
    const real = systemctl({ stdout: "systemd 252 (252.39-1~deb12u2)\n+PAM +AUDIT\n" });
    assert.equal(await real.systemctl.version(), 252);
    const other = systemctl({ stdout: "elogind\n" });
    await assert.rejects(other.systemctl.version(), { code: "SYSTEMCTL", message: /elogind/ });
  });

  it("shows properties line by line", async () => {
    const stdout = "Id=a.service\nExecStart={ path=/x ; }\nExecStart={ path=/y ; }\nEnvironment=\n";
    const shown = await systemctl({ stdout }).systemctl.show("a.service", [
      "Id",
      "ExecStart",
      "Environment",
      "No",
    ]);
    assert.deepEqual(Object.fromEntries(shown), {
      Id: ["a.service"],
      ExecStart: ["{ path=/x ; }", "{ path=/y ; }"],
      Environment: [""],
      No: [],
    });
  });

  it("keeps a newline within a value", async () => {
    const { systemctl: one } = systemctl({ stdout: "ExecStart={ argv[]=/x a\nB=c ; }\nId=a.service\n" });
    const shown = await one.show("a.service", ["Id", "ExecStart"]);
    assert.deepEqual(shown.get("ExecStart"), ["{ argv[]=/x a\nB=c ; }"]);
    assert.deepEqual(shown.get("Id"), ["a.service"]);
  });

  it("shows a template as an instance that nobody else has", async () => {
    const { calls, systemctl: one } = systemctl();
    await one.show("foo@.service", ["Id"]);
    assert.match(calls[0] ?? "", /show --property=Id -- foo@mptcpize\.service$/);
  });

  it("gives the variables of a unit and of the manager", async () => {
    const unit = systemctl({ stdout: `Environment=A=1 "B=two words" C=\n` });
    assert.deepEqual(await unit.systemctl.shownEnvironment("a.service"), ["A=1", "B=two words", "C="]);
    const manager = systemctl({ stdout: "LANG=C.UTF-8\nA=$'it\\'s\\n'\nEMPTY=\n" });
    assert.deepEqual(Object.fromEntries(await manager.systemctl.managerEnvironment()), {
      LANG: "C.UTF-8",
      A: "it's\n",
      EMPTY: "",
    });
  });

  it("takes a unit's name for nothing else", async () => {
    const { calls, systemctl: one } = systemctl();
    await one.isActive("-a.service");
    await one.tryRestart(["-a.service"]);
    await one.stop(["-a.service"]);
    await one.start(["-a.service"]);
    for (const call of calls) assert.match(call, / -- -a\.service$/);
  });

  it("does nothing for no units", async () => {
    const { calls, systemctl: one } = systemctl();
    await one.tryRestart([]);
    await one.stop([]);
    await one.start([]);
    assert.deepEqual(calls, []);
  });

  it("speaks to the user's manager where it is told to", async () => {
    const { calls, systemctl: one } = systemctl({ user: true });
    await one.daemonReload();
    assert.deepEqual(calls, ["systemctl --user --no-pager daemon-reload"]);
  });

  it("fails in one line, with what systemctl said", async () => {
    const failing = systemctl({ code: 1, stderr: "Failed to connect to bus:\n  No medium found\n" });
    await assert.rejects(failing.systemctl.daemonReload(), {
      name: "SystemctlError",
      code: "SYSTEMCTL",
      message: "systemctl daemon-reload: Failed to connect to bus:; No medium found",
    });
    await assert.rejects(systemctl({ code: 4 }).systemctl.start(["a.service"]), {
      message: "systemctl start a.service: exit code 4",
    });
  });

  it("fails in one line where there is none, and for whatever else keeps it from running", async () => {
    const failing = (error: Error) =>
      new Systemctl({ user: false, run: () => Promise.reject(error) }).daemonReload();
    await assert.rejects(failing(Object.assign(new Error("spawn systemctl ENOENT"), { code: "ENOENT" })), {
      code: "SYSTEMCTL",
      message: "cannot run systemctl: it is not in PATH",
    });
    await assert.rejects(failing(new Error("Command failed:\nsystemctl")), {
      code: "SYSTEMCTL",
      message: "cannot run systemctl: Command failed:; systemctl",
    });
  });

  it("hints at a login where the user's own manager cannot be reached, and only there", async () => {
    const stderr = "Failed to connect to bus: No medium found\n";
    const hint = /No medium found; .* logged in .*XDG_RUNTIME_DIR/;
    const asUser = systemctl({ user: true, code: 1, stderr });
    await assert.rejects(asUser.systemctl.daemonReload(), { message: hint });
    const newer = systemctl({
      user: true,
      code: 1,
      stderr: "Failed to connect to user scope bus via local\n",
    });
    await assert.rejects(newer.systemctl.daemonReload(), { message: /XDG_RUNTIME_DIR/ });
    const other = systemctl({ user: true, code: 1, stderr: "Access denied\n" });
    await assert.rejects(other.systemctl.daemonReload(), { message: /Access denied$/ });
  });

  it("tells by its exit code whether a unit is active", async () => {
    assert.equal(await systemctl().systemctl.isActive("a.service"), true);
    assert.equal(await systemctl({ code: 3 }).systemctl.isActive("a.service"), false);
  });
});

describe("a list that systemctl shows", () => {
  it("has bare words and quoted ones", () => {
    assert.deepEqual(parseShownWords(`A=1 "B=two words" C=it's D=`), ["A=1", "B=two words", "C=it's", "D="]);
    assert.deepEqual(parseShownWords(""), []);
  });

  it("has a backslash before what means something to a shell", () => {
    assert.deepEqual(parseShownWords('"A=\\"\\\\\\$\\`"'), ['A="\\$`']);
    assert.deepEqual(parseShownWords(String.raw`$'it\'s \\'`), ["it's \\"]);
  });

  it("has control characters, and bytes that are no characters, as in C", () => {
    assert.deepEqual(parseShownWords(String.raw`"A=one\ntwo\tthree\001" $'\303\251'`), [
      "A=one\ntwo\tthree\x01",
      "é",
    ]);
  });

  it("is not guessed at where a quote is open", () => {
    assert.throws(() => parseShownWords('"A=1'), UnitSyntaxError);
  });
});
