import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Identity, Inspection, Launcher, Question } from "../../../src/services/launcher.ts";
import { gatherServiceFacts } from "../../../src/services/service-facts.ts";
import { findUnit } from "../../../src/services/unit.ts";
import type { How } from "../../../src/services/ways.ts";
import { refusal } from "./facts.ts";
import { FakeSystemd } from "./fake-systemd.ts";

/** The facts about a unit, and what the launcher was asked. */
async function gather(systemd: FakeSystemd, given = "web", how: How = "auto") {
  const { systemctl } = systemd;
  const asked: Question[] = [];
  const inspection: Inspection = { way: "preload", program: "", why: "", set: new Map(), warnings: [] };
  const launcher: Pick<Launcher, "path" | "inspect"> = {
    path: systemd.launcherPath,
    async inspect(question) {
      asked.push(question);
      return inspection;
    },
  };
  const identities: Record<string, Identity> = { www: { uid: 33, gid: 34 } };
  const facts = await gatherServiceFacts(
    await findUnit(given, systemctl),
    { how, repaired: false },
    {
      systemctl,
      launcher,
      user: false,
      identityOf: async (user) => identities[user],
    },
  );
  return { facts, asked };
}

describe("the facts about a service", () => {
  it("are without what mptcpize wrote, but with files of that name that it did not write", async (t) => {
    const systemd = new FakeSystemd(t);
    systemd.put("lib/web.service", "[Service]\nExecStart=/usr/sbin/web\nEnvironment=A=1\n");
    systemd.put("etc/web.service.d/50-mptcpize.conf", "[X-Mptcpize]\nWay=go\n[Service]\nEnvironment=A=2\n");
    const { facts } = await gather(systemd);
    assert.deepEqual(
      facts.files.assignments.map(({ key, value }) => `${key}=${value}`),
      ["ExecStart=/usr/sbin/web", "Environment=A=1"],
    );
    systemd.put("etc/web.service.d/50-mptcpize.conf", "[Service]\nEnvironment=A=2\n");
    assert.equal((await gather(systemd)).facts.files.assignments.length, 3);
    systemd.put("etc/web.service.d/60-copy.conf", "[X-Mptcpize]\nWay=go\n[Service]\nEnvironment=A=3\n");
    assert.equal((await gather(systemd)).facts.files.assignments.length, 5);
  });

  it("have each program looked at with the service's values, PATH and user", async (t) => {
    const systemd = new FakeSystemd(t);
    const service = [
      "User=www",
      "Environment=LD_PRELOAD=%h/a.so PATH=/own/bin",
      "ExecStart=/usr/sbin/web -a",
    ];
    systemd.put("lib/web.service", `[Service]\n${service.join("\n")}\n`);
    const { asked } = await gather(systemd, "web", "preload");
    assert.deepEqual(asked, [
      {
        unit: "web.service",
        program: "/usr/sbin/web",
        args: ["-a"],
        how: "preload",
        variables: new Map([["LD_PRELOAD", "%h/a.so"]]),
        searchPath: "/own/bin",
        identity: { uid: 33, gid: 34 },
      },
    ]);
  });

  it("have a program looked at with its arguments, while it is enabled as well", async (t) => {
    const systemd = new FakeSystemd(t);
    systemd.put("lib/web.service", '[Service]\nExecStart=/usr/bin/env -i "A=1 2" /usr/sbin/web\n');
    assert.deepEqual((await gather(systemd)).asked[0]?.args.slice(0, 1), ["-i"]);
    systemd.put(
      "etc/web.service.d/50-mptcpize.conf",
      "[X-Mptcpize]\nWay=seccomp\n[Service]\nExecStart=\nExecStart=/usr/bin/mptcpize run -- /usr/bin/env\n",
    );
    assert.deepEqual((await gather(systemd)).asked[0]?.args, ["-i", "A=1 2", "/usr/sbin/web"]);
  });

  it("have a program looked at as root where User= does not apply, and in its own root", async (t) => {
    const systemd = new FakeSystemd(t);
    systemd.put("lib/web.service", "[Service]\nUser=www\nRootDirectory=/srv\nExecStart=/usr/sbin/web\n");
    systemd.shown["web.service"] = {
      ExecStartEx: "{ path=/usr/sbin/web ; argv[]=web ; flags=privileged ; start_time=[n/a] ; }",
    };
    const { asked, facts } = await gather(systemd);
    assert.deepEqual([asked[0]?.program, asked[0]?.identity], ["/srv/usr/sbin/web", undefined]);
    assert.equal(facts.programs[0]?.path, "/usr/sbin/web");
    assert.equal(facts.asRoot, true);
    systemd.put("lib/web.service", "[Service]\nUser=www\nExecStart=/usr/sbin/web\n");
    systemd.shown["web.service"] = {};
    assert.equal((await gather(systemd)).facts.asRoot, false);
  });

  it("need no program for the BPF way", async (t) => {
    const systemd = new FakeSystemd(t);
    systemd.put("lib/web.service", "[Service]\nExecStart=/usr/sbin/web\n");
    assert.deepEqual((await gather(systemd, "web", "bpf")).asked, []);
  });

  it("have the variables of environment files, found as systemd expands their paths", async (t) => {
    const systemd = new FakeSystemd(t);
    systemd.put("d/web.env", "LD_PRELOAD=/own.so\n");
    const written = `${systemd.root}/d/%p.env`;
    systemd.put("lib/web.service", `[Service]\nEnvironmentFile=-${written}\nExecStart=/usr/sbin/web\n`);
    systemd.shown["web.service"] = { EnvironmentFiles: `${systemd.root}/d/web.env (ignore_errors=yes)` };
    const { facts, asked } = await gather(systemd);
    assert.deepEqual(facts.environmentSources.files, [
      { path: written, values: new Map([["LD_PRELOAD", "/own.so"]]) },
    ]);
    assert.equal(asked[0]?.variables.get("LD_PRELOAD"), "/own.so");
  });

  it("do not take our environment file for one of the unit's", async (t) => {
    const systemd = new FakeSystemd(t);
    const ours = systemd.put("etc/web.service.d/50-mptcpize.env", "GODEBUG=ours\n");
    const later = systemd.put("d/later.env", "GODEBUG=later\n");
    systemd.put("lib/web.service", "[Service]\nExecStart=/usr/sbin/web\n");
    systemd.put(
      "etc/web.service.d/50-mptcpize.conf",
      `[X-Mptcpize]\nWay=go\n[Service]\nEnvironmentFile=${ours}\n`,
    );
    systemd.put("etc/web.service.d/60-own.conf", `[Service]\nEnvironmentFile=${later}\n`);
    const { facts } = await gather(systemd);
    assert.deepEqual(facts.environmentSources.files, [
      { path: later, values: new Map([["GODEBUG", "later"]]) },
    ]);
  });

  it("have those of all instances for a template", async (t) => {
    const systemd = new FakeSystemd(t);
    systemd.put("d/a.env", "GODEBUG=x=1\n");
    const written = `${systemd.root}/d/%i.env`;
    systemd.put("lib/web@.service", `[Service]\nEnvironmentFile=-${written}\nExecStart=/usr/sbin/web\n`);
    const { facts } = await gather(systemd, "web@");
    assert.deepEqual(facts.environmentSources.files, [
      { path: written, values: new Map([["GODEBUG", "x=1"]]) },
    ]);
  });

  it("are none without ExecStart=", async (t) => {
    const systemd = new FakeSystemd(t);
    systemd.put("lib/web.service", "[Service]\nExecStop=/bin/true\n");
    await assert.rejects(gather(systemd), refusal("web.service has no ExecStart="));
  });
});
