import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { SystemdLab, systemdProblem } from "../lab/systemd.ts";
import { logged } from "./service.ts";
import { mptcpize, write } from "./units.ts";

const unit = `[Service]
Type=notify
Environment=TOKEN=environment-secret-1
ExecStartPre=/bin/echo my password=log-secret-2 goes into the log
ExecStart=/opt/mptcpd/bin/mptcpd --log=journal
RuntimeDirectory=mptcpd
`;

const config = "[core]\nremoval-delay=3\n[plugin mine]\nexec=/bin/cat argument-secret-3\n";

describe("mptcpctl report, of a service of systemd", { skip: await systemdProblem() }, () => {
  let lab: SystemdLab;
  before(async () => {
    lab = await SystemdLab.boot();
    await write(lab, {
      "/etc/systemd/system/mptcp.service": unit,
      "/etc/systemd/system/web.service": "[Service]\nExecStart=/bin/sleep 1000\n",
      "/etc/mptcpd/mptcpd.conf": config,
    });
    await lab.run("systemctl", "start", "mptcp.service");
    await logged(lab, /^ready$/);
  });
  after(() => lab.close());

  const report = (...args: readonly string[]) =>
    lab.outcome("/opt/mptcpd/bin/mptcpctl", "report", "--output=-", ...args);

  it("has the state of the unit, its log, its process and the units that use MPTCP, without secrets", async () => {
    await mptcpize(lab, "enable", "web");
    const { stdout, code } = await report();
    assert.equal(code, 0);
    assert.match(stdout, /^Id=mptcp\.service$/m);
    assert.match(stdout, /^ActiveState=active$/m);
    assert.match(stdout, /^CPUUsageNSec=/m);
    assert.match(stdout, /^FragmentPath=\/etc\/systemd\/system\/mptcp\.service$/m);
    assert.match(
      stdout,
      /^\d+ .* yes .*\/system\.slice\/mptcp\.service +the mptcpd of this network namespace$/m,
    );
    assert.match(stdout, /^\d{4}-\d\d-\d\dT\S+Z <\d> .*ready/m);
    assert.match(stdout, /^\S+ <\d> my password=<hidden>$/m);
    assert.match(stdout, /^exec=\/bin\/cat <hidden>$/m);
    assert.match(stdout, /^web\.service +\S+ +as written +\/etc\/systemd\/system\/web\.service\.d\//m);
    assert.doesNotMatch(stdout, /secret-\d/);
    assert.doesNotMatch(stdout, /^- (unit|log|processes|configuration):/m);
    await mptcpize(lab, "disable", "web");
  });

  it("has as many lines of the log as are asked for", async () => {
    const lines = async (count: number) => {
      const { stdout } = await report("--json", `--log-lines=${count}`);
      const { sections } = JSON.parse(stdout);
      return sections.log.length;
    };
    assert.deepEqual([await lines(0), await lines(2)], [0, 2]);
  });

  it("says to whom may not see the log that it is missing", async () => {
    const asNobody = ["--reuid=65534", "--regid=65534", "--clear-groups"];
    const { stdout } = await lab.outcome(
      "setpriv",
      ...asNobody,
      ...["/opt/mptcpd/bin/mptcpctl", "report", "--output=-"],
    );
    assert.match(
      stdout,
      /^- log: journalctl failed: No journal files were opened due to insufficient permissions\.$/m,
    );
    assert.match(stdout, /^ActiveState=active$/m);
  });
});
