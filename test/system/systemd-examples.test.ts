import assert from "node:assert/strict";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { after, before, describe, it } from "node:test";
import { SystemdLab, systemdProblem } from "../lab/systemd.ts";
import { exampleUnit, serviceExamples } from "../unit/services/systemd/examples.ts";

/** What systemd gives to every service (systemd.exec(5), "ENVIRONMENT VARIABLES IN SPAWNED PROCESSES"). */
const everywhere = ["INVOCATION_ID", "JOURNAL_STREAM", "LANG", "PATH", "SYSTEMD_EXEC_PID"];

const exec = "[Service]\nType=oneshot\nExecStart=/bin/cp /proc/self/environ /environ\n";

describe("the examples of services", { skip: await systemdProblem() }, () => {
  let lab: SystemdLab;
  before(async () => {
    lab = await SystemdLab.boot();
  });
  after(() => lab.close());

  for (const { about, unit, files, environment } of serviceExamples)
    it(`tell what the real systemd makes of ${about}`, async () => {
      const path = `/etc/systemd/system/${exampleUnit}`;
      write({ ...files, [path]: unit, [`${path}.d/exec.conf`]: exec });
      await lab.run("systemctl", "daemon-reload");
      await lab.run("systemctl", "start", exampleUnit);
      const given = readFileSync(lab.path("/environ"), "utf8").split("\0").slice(0, -1).map(split);
      assert.deepEqual(Object.fromEntries(given.filter(([name]) => !everywhere.includes(name))), environment);
    });

  function write(files: Readonly<Record<string, string>>): void {
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(dirname(lab.path(path)), { recursive: true });
      writeFileSync(lab.path(path), text);
    }
  }
});

function split(variable: string): [name: string, value: string] {
  const equals = variable.indexOf("=");
  return [variable.slice(0, equals), variable.slice(equals + 1)];
}
