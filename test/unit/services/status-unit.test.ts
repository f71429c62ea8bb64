import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { Processes } from "../../../src/kernel/processes.ts";
import { dropInPath, findDropIns, formatDropIn } from "../../../src/services/drop-in.ts";
import type { SocketStatus } from "../../../src/services/status-sockets.ts";
import { type UnitSources, type UnitStatus, unitStatus } from "../../../src/services/status-unit.ts";
import { findUnitInAnyState } from "../../../src/services/unit.ts";
import { FakeSystemd } from "./fake-systemd.ts";

/** A machine with a unit web.service, and what runs on it. */
class Machine {
  readonly systemd: FakeSystemd;
  readonly sockets: SocketStatus[] = [];
  attachedCgroups: string[] | undefined;
  library: string;

  constructor(t: TestContext) {
    this.systemd = new FakeSystemd(t);
    this.systemd.put("lib/web.service", "[Service]\nExecStart=/usr/sbin/web\n");
    this.systemd.shown["web.service"] = {
      ActiveState: "active",
      ControlGroup: "/system.slice/web.service",
      MainPID: "10",
    };
    this.systemd.put("proc/uptime", "1000.00 0\n");
    this.library = this.systemd.put("usr/libmptcpwrap.so", "");
  }

  /** Enables a unit as `enable` does. */
  enable(unit = "web.service", content: Partial<Parameters<typeof formatDropIn>[0]> = {}): string {
    const text = formatDropIn({
      unit,
      way: "preload",
      library: this.library,
      createdDirectory: true,
      section: "Service",
      lines: [`Environment=LD_PRELOAD=${this.library}`, "Environment=GODEBUG=multipathtcp=1"],
      ...content,
    });
    const path = dropInPath(this.systemd.directories.persistent, unit);
    this.systemd.put(path.slice(this.systemd.root.length + 1), text);
    return path;
  }

  /** @param startedAt seconds from now */
  start(
    pid: number,
    startedAt: number,
    files: Readonly<Record<string, string>> = {},
    isVisible = true,
  ): void {
    const { name = "web", ...others } = files;
    const ticks = Math.round((1000 + startedAt) * 100);
    const contents = {
      stat: `${pid} (${name}) S 1 9 9 0 -1 4194304 ${"0 ".repeat(8)}20 0 1 0 ${ticks} 1000\n`,
      cgroup: "0::/system.slice/web.service\n",
      maps: "",
      environ: "",
      ...others,
    };
    mkdirSync(join(this.systemd.root, `proc/${pid}`), { recursive: true });
    if (isVisible) mkdirSync(join(this.systemd.root, `proc/${pid}/fd`), { recursive: true });
    for (const [file, text] of Object.entries(contents))
      writeFileSync(join(this.systemd.root, `proc/${pid}`, file), text);
  }

  listen(protocol: "mptcp" | "tcp", pids: readonly number[], port = 80): void {
    const local = { address: "0.0.0.0", port };
    const common = { remote: undefined, fallback: false, subflows: undefined, networkNamespace: 1 };
    this.sockets.push({
      ...common,
      protocol,
      state: "listen",
      local,
      holders: pids.map((pid) => ({ pid, name: "x" })),
    });
  }

  async status(name = "web.service"): Promise<UnitStatus> {
    const processes = new Processes(join(this.systemd.root, "proc"));
    const sources: UnitSources = {
      systemctl: this.systemd.systemctl,
      processes,
      running: processes.list(),
      sockets: this.sockets,
      attachedCgroups: () => this.attachedCgroups,
      user: false,
    };
    const unit = await findUnitInAnyState(name, this.systemd.systemctl);
    const found = findDropIns(this.systemd.directories).find((dropIn) => dropIn.unit === name);
    return unitStatus(unit, found, sources);
  }

  async problems(name?: string): Promise<string[]> {
    return (await this.status(name)).problems.map(({ code, text }) => `${code}: ${text}`);
  }

  get loaded(): Record<string, string> {
    return { maps: `1-2 r-xp 0 0:0 1 ${this.library}\n` };
  }
}

const later = 60;
const earlier = -60;

describe("the status of a unit", () => {
  it("has the processes of its cgroup and of those below, with their sockets, and no others", async (t) => {
    const machine = new Machine(t);
    machine.start(10, later);
    machine.start(11, later, { name: "worker", cgroup: "0::/system.slice/web.service/workers\n" });
    machine.start(12, later, { cgroup: "0::/system.slice/web.service2\n" });
    machine.listen("tcp", [10, 11, 12]);
    machine.listen("tcp", [12], 81);
    const { enabled, active, processes, sockets, problems } = await machine.status();
    assert.deepEqual({ enabled, active, problems }, { enabled: undefined, active: "active", problems: [] });
    assert.deepEqual(processes, [
      { pid: 10, name: "web" },
      { pid: 11, name: "worker" },
    ]);
    assert.deepEqual(
      sockets.map(({ holders }) => holders.map(({ pid }) => pid)),
      [[10, 11]],
    );
  });

  it("works when the process has the library and all its sockets are MPTCP", async (t) => {
    const machine = new Machine(t);
    const path = machine.enable();
    machine.start(10, later, machine.loaded);
    machine.listen("mptcp", [10]);
    const { enabled, works, problems } = await machine.status();
    assert.deepEqual(enabled, { path, way: "preload" });
    assert.deepEqual({ works, problems }, { works: true, problems: [] });
  });

  it("is open as long as there are no sockets", async (t) => {
    const machine = new Machine(t);
    machine.enable();
    machine.start(10, later, machine.loaded);
    assert.equal((await machine.status()).works, undefined);
  });

  it("works still when there is a problem that will show at the next start", async (t) => {
    const machine = new Machine(t);
    machine.library = "/nowhere/libmptcpwrap.so";
    machine.enable();
    machine.start(10, later, machine.loaded);
    machine.listen("mptcp", [10]);
    const { works, problems } = await machine.status();
    assert.deepEqual(
      { works, codes: problems.map(({ code }) => code) },
      { works: true, codes: ["missing-file"] },
    );
  });

  it("is open if only root may see the sockets", async (t) => {
    const machine = new Machine(t);
    machine.enable();
    machine.start(10, later, machine.loaded);
    machine.start(11, later, {}, false);
    machine.listen("mptcp", [10]);
    const { works, partial } = await machine.status();
    assert.deepEqual({ works, partial }, { works: undefined, partial: true });
  });

  it("tells a process that started before from one that was not reached", async (t) => {
    const machine = new Machine(t);
    machine.enable();
    machine.start(10, earlier);
    machine.listen("tcp", [10]);
    const { works, problems } = await machine.status();
    assert.equal(works, false);
    assert.deepEqual(
      problems.map(({ code }) => code),
      ["not-restarted"],
    );
    machine.start(10, later);
    assert.match((await machine.problems())[0] ?? "", /^not-reached: process 10 \(web\)/);
  });

  it("asks only the main process and those with TCP sockets for the library", async (t) => {
    const machine = new Machine(t);
    machine.enable();
    machine.start(10, later, machine.loaded);
    machine.start(11, later, { name: "helper" });
    assert.deepEqual(await machine.problems(), []);
    machine.listen("tcp", [11]);
    assert.match((await machine.problems())[0] ?? "", /^not-reached: process 11 \(helper\)/);
  });

  it("of a Go program looks for its variable", async (t) => {
    const machine = new Machine(t);
    machine.enable("web.service", { way: "go" });
    machine.start(10, later, { environ: "GODEBUG=http2debug=1,multipathtcp=1\0" });
    assert.deepEqual(await machine.problems(), []);
    machine.start(10, later, { environ: "GODEBUG=multipathtcp=0\0" });
    assert.match((await machine.problems())[0] ?? "", /^not-reached/);
  });

  it("of a static program looks for the launcher's supervisor", async (t) => {
    const machine = new Machine(t);
    const launcher = machine.systemd.put("bin/mptcpize", "");
    machine.enable("web.service", {
      way: "seccomp",
      launcher,
      originalExecStart: ["/usr/sbin/web"],
      lines: ["ExecStart=", `ExecStart=${launcher} run --how=seccomp -- /usr/sbin/web`],
    });
    machine.start(10, later);
    assert.match((await machine.problems())[0] ?? "", /^not-reached/);
    machine.start(11, later, { name: "mptcpize" });
    assert.deepEqual(await machine.problems(), []);
    machine.systemd.put("lib/web.service", "[Service]\nExecStart=/usr/sbin/web --new\n");
    assert.match((await machine.problems())[0] ?? "", /^exec-start-changed/);
  });

  it("by BPF looks for the unit's cgroup, and says nothing if that cannot be seen", async (t) => {
    const machine = new Machine(t);
    machine.enable("web.service", { way: "bpf", lines: ["ExecStartPre=-+/usr/bin/mptcpize attach"] });
    machine.start(10, later);
    assert.deepEqual(await machine.problems(), []);
    machine.attachedCgroups = ["/sys/fs/cgroup/system.slice/other.service"];
    assert.match((await machine.problems())[0] ?? "", /^not-reached/);
    machine.attachedCgroups.push("/sys/fs/cgroup/system.slice/web.service");
    assert.deepEqual(await machine.problems(), []);
  });

  it("names the file that overrides LD_PRELOAD", async (t) => {
    const machine = new Machine(t);
    machine.enable();
    const file = machine.systemd.put(
      "etc/web.service.d/60-mine.conf",
      "[Service]\nEnvironment=LD_PRELOAD=/x.so\n",
    );
    assert.deepEqual(await machine.problems(), [`overridden: ${file}:2 overrides LD_PRELOAD of the drop-in`]);
    machine.systemd.put("etc/web.service.d/60-mine.conf", "[Service]\nUnsetEnvironment=LD_PRELOAD\n");
    assert.deepEqual(await machine.problems(), [`overridden: ${file}:2 overrides LD_PRELOAD of the drop-in`]);
    const variables = machine.systemd.put("web.env", "GODEBUG=http2debug=1\n");
    machine.systemd.put("etc/web.service.d/60-mine.conf", `[Service]\nEnvironmentFile=${variables}\n`);
    assert.deepEqual(await machine.problems(), [`overridden: ${variables} overrides GODEBUG of the drop-in`]);
  });

  it("tells that the library is missing", async (t) => {
    const machine = new Machine(t);
    machine.library = "/nowhere/libmptcpwrap.so";
    machine.enable();
    assert.match(
      (await machine.problems())[0] ?? "",
      /^missing-file: \/nowhere\/libmptcpwrap\.so is missing/,
    );
  });

  it("tells that a unit is gone which is still enabled", async (t) => {
    const machine = new Machine(t);
    machine.enable("gone.service");
    assert.match(
      (await machine.problems("gone.service"))[0] ?? "",
      /^no-unit: systemd cannot load gone\.service/,
    );
  });

  it("does not blame a service for the sockets that systemd hands to it", async (t) => {
    const machine = new Machine(t);
    Object.assign(machine.systemd.shown["web.service"] ?? {}, { TriggeredBy: "web.socket web.path" });
    machine.enable();
    machine.start(1, earlier, { name: "systemd", cgroup: "0::/init.scope\n" });
    machine.start(10, later, machine.loaded);
    machine.systemd.version = 257;
    machine.listen("tcp", [1, 10]);
    assert.deepEqual(await machine.problems(), [
      "passed-sockets: TCP listeners come from web.socket: mptcpize enable web.socket",
    ]);
  });

  it("with Accept=yes is told of the socket unit, which systemd keeps to itself", async (t) => {
    const machine = new Machine(t);
    machine.systemd.version = 257;
    machine.systemd.put("lib/web@.service", "[Service]\nExecStart=/usr/sbin/web\n");
    machine.systemd.put("lib/web.socket", "[Socket]\nListenStream=80\nAccept=yes\n");
    machine.systemd.shown["web.socket"] = { Accept: "yes", Listen: "0.0.0.0:80 (Stream)" };
    machine.enable("web@.service");
    machine.start(1, earlier, { name: "systemd", cgroup: "0::/init.scope\n" });
    machine.start(20, earlier, { cgroup: "0::/system.slice/system-web.slice/web@0-1.2.3.4.service\n" });
    machine.listen("tcp", [1]);
    assert.deepEqual(await machine.problems("web@.service"), [
      "passed-sockets: TCP listeners come from web.socket: mptcpize enable web.socket",
    ]);
  });

  describe("that is disabled, and was not restarted since, is told so", () => {
    const still =
      /^not-restarted: not enabled, but process 10 \(web\) runs with mptcpize until restarted: systemctl restart web\.service$/;

    it("by the library or the variable in a process", async (t) => {
      const machine = new Machine(t);
      machine.start(10, earlier, machine.loaded);
      assert.match((await machine.problems()).join(), still);
      machine.start(10, earlier, { environ: "GODEBUG=multipathtcp=1\0", maps: "" });
      assert.match((await machine.problems()).join(), still);
    });

    it("by the supervisor", async (t) => {
      const machine = new Machine(t);
      machine.start(10, earlier);
      assert.deepEqual(await machine.problems(), []);
      machine.start(11, earlier, { name: "mptcpize" });
      assert.match(
        (await machine.problems()).join(),
        /process 11 \(mptcpize\) runs with mptcpize until restarted/,
      );
    });

    it("by an MPTCP listener of a socket unit", async (t) => {
      const machine = new Machine(t);
      machine.systemd.put("lib/web.socket", "[Socket]\nListenStream=80\n");
      machine.systemd.shown["web.socket"] = { ActiveState: "active", Listen: "0.0.0.0:80 (Stream)" };
      machine.listen("mptcp", [1]);
      assert.deepEqual(await machine.problems("web.socket"), [
        "not-restarted: not enabled, but it still listens with MPTCP: systemctl restart web.socket",
      ]);
      machine.systemd.put("lib/web.socket", "[Socket]\nListenStream=80\nSocketProtocol=mptcp\n");
      assert.deepEqual(await machine.problems("web.socket"), [], "it has asked for that by itself");
    });

    it("unless the unit calls for mptcpize by itself", async (t) => {
      const machine = new Machine(t);
      machine.systemd.put("lib/web.service", "[Service]\nExecStart=/usr/bin/mptcpize run /usr/sbin/web\n");
      machine.start(10, earlier, machine.loaded);
      assert.deepEqual(await machine.problems(), []);
    });
  });

  it("that is not enabled has one problem all the same: systemd may still have a drop-in that is gone", async (t) => {
    const machine = new Machine(t);
    assert.deepEqual(await machine.problems(), []);
    Object.assign(machine.systemd.shown["web.service"] ?? {}, { NeedDaemonReload: "yes" });
    assert.match((await machine.problems()).join(), /^needs-reload: [^,]*systemctl daemon-reload$/);
  });

  it("of a socket unit has the listeners at its addresses, whoever has them open", async (t) => {
    const machine = new Machine(t);
    machine.systemd.put("lib/web.socket", "[Socket]\nListenStream=80\n");
    machine.systemd.shown["web.socket"] = { ActiveState: "active", Listen: "0.0.0.0:80 (Stream)" };
    machine.enable("web.socket", { way: "socket", section: "Socket", lines: ["SocketProtocol=mptcp"] });
    machine.listen("tcp", [1]);
    machine.listen("mptcp", [1], 81);
    const { sockets } = await machine.status("web.socket");
    assert.deepEqual(
      sockets.map(({ local, holders }) => [local.port, holders.map(({ pid }) => pid)]),
      [[80, [1]]],
    );
    assert.match(
      (await machine.problems("web.socket"))[0] ?? "",
      /^not-restarted: it still listens with TCP/,
    );
  });

  it("of a template has the processes of all its instances, but not those of users' own units", async (t) => {
    const machine = new Machine(t);
    machine.systemd.put("lib/web@.service", "[Service]\nExecStart=/usr/sbin/web\n");
    machine.enable("web@.service");
    machine.start(20, later, { cgroup: "0::/system.slice/system-web.slice/web@a.service\n" });
    machine.start(21, later, { cgroup: "0::/system.slice/system-web.slice/web@b.service/x\n" });
    const ofUser = "/user.slice/user-7.slice/user@7.service/app.slice/app-web.slice/web@c.service";
    machine.start(22, later, { cgroup: `0::${ofUser}\n` });
    const { active, processes } = await machine.status("web@.service");
    assert.equal(active, "active");
    assert.deepEqual(
      processes.map(({ pid }) => pid),
      [20, 21],
    );
  });

  it("changes nothing", async (t) => {
    const machine = new Machine(t);
    machine.enable();
    machine.start(10, earlier);
    const before = machine.systemd.tree();
    await machine.status();
    assert.deepEqual(machine.systemd.tree(), before);
    assert.deepEqual(machine.systemd.commands, []);
  });
});
