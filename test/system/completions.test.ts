import assert from "node:assert/strict";
import { cpSync } from "node:fs";
import { after, before, describe, it } from "node:test";
import { shellNames } from "../../src/programs/completions/completion-files.ts";
import { Completions, offered, shellProblem } from "../lab/completion.ts";
import { SystemdLab, systemdProblem } from "../lab/systemd.ts";
import { mptcpize, write } from "./units.ts";

const units = "/etc/systemd/system";
const service = "[Service]\nExecStart=/bin/sleep infinity\n";

describe("completions of units", { skip: await systemdProblem() }, () => {
  let lab: SystemdLab;
  let completions: Completions;
  before(async () => {
    lab = await SystemdLab.boot();
    completions = new Completions();
    await write(lab, {
      [`${units}/our-first.service`]: service,
      [`${units}/our-second.socket`]: "[Socket]\nListenStream=8080\n",
      [`${units}/our-third@.service`]: service,
      [`${units}/our-timer.timer`]: "[Timer]\nOnBootSec=1d\nUnit=our-first.service\n",
    });
    await lab.run("systemctl", "start", "our-third@one");
    await mptcpize(lab, "enable", "our-first");
    await mptcpize(lab, "enable", "--runtime", "our-third@one");
    // At the same place in there.
    cpSync(completions.directory, lab.path(completions.directory), { recursive: true });
  });
  after(async () => {
    completions?.close();
    await lab?.close();
  });

  for (const shell of shellNames)
    describe(`in ${shell}`, { skip: shellProblem(shell) }, () => {
      const complete = async (line: string) => offered(await lab.run(...completions.command(shell, line)));

      it("are services and sockets, instances too, where one is to be enabled", async () => {
        const all = ["our-first.service", "our-second.socket", "our-third@.service", "our-third@one.service"];
        assert.deepEqual(await complete("mptcpize enable our-"), all);
        assert.deepEqual(await complete("mptcpize status --json our-s"), ["our-second.socket"]);
        assert.deepEqual(await complete("mptcpize enable our-first.service our-second"), [
          "our-second.socket",
        ]);
      });

      it("are those that are enabled where one is to be disabled", async () => {
        const enabled = ["our-first.service", "our-third@one.service"];
        assert.deepEqual(await complete("mptcpize disable "), enabled);
        assert.deepEqual(await complete("mptcpize disable --user "), []);
      });
    });
});
