import assert from "node:assert/strict";
import { after, before, beforeEach, describe, it } from "node:test";
import type { Command } from "commander";
import { waitFor } from "../../src/lab/kit/wait.ts";
import { describeProgram } from "../../src/programs/mptcpctl/command-line.ts";
import type { SystemdLab } from "../lab/systemd.ts";
import { bootInstalled, installedPackageProblem } from "./installed-package.ts";
import { addPeer, connect, hangUp, subflowsAt } from "./peer-namespace.ts";
import { endpoints, reset, start } from "./service.ts";

const [first, second] = ["10.1.0.1", "10.2.0.1"];

type Connection = {
  readonly token: string;
  readonly subflows: readonly { readonly local: End; readonly remote: End }[];
};
type End = { readonly address: string; readonly port: number };

describe("mptcpctl of the installed package", { skip: await installedPackageProblem() }, () => {
  let lab: SystemdLab;
  before(async () => {
    lab = await bootInstalled(addPeer);
  });
  beforeEach(async () => {
    await hangUp(lab);
    await reset(lab);
    await lab.run("sysctl", "--quiet", "--write", "net.mptcp.pm_type=0");
  });
  after(() => lab.close());

  const ctl = (line: string): Promise<string> => lab.run("mptcpctl", ...line.split(" "));

  /** A connection under a userspace path manager that nobody is. */
  async function userspaceConnection(): Promise<Connection> {
    await lab.run("sysctl", "--quiet", "--write", "net.mptcp.pm_type=1");
    await connect(lab, "system");
    return theConnection();
  }

  async function theConnection(): Promise<Connection> {
    const [connection]: Connection[] = JSON.parse(await ctl("-j connections 10.1.0.2"));
    assert.ok(connection);
    return connection;
  }

  /** Runs a command as a unit until it is stopped. */
  async function background(unit: string, line: string): Promise<void> {
    await lab.outcome("systemctl", "stop", unit);
    await lab.run(
      "systemd-run",
      "--quiet",
      "--collect",
      `--unit=${unit}`,
      "/usr/bin/mptcpctl",
      ...line.split(" "),
    );
  }

  async function said(unit: string): Promise<string> {
    await lab.run("journalctl", "--sync");
    return lab.run("journalctl", "--output=cat", "--no-pager", `--unit=${unit}`);
  }

  async function withSubflow(): Promise<{ token: string; ends: string }> {
    const { token } = await userspaceConnection();
    await ctl(`subflow create token ${token} ${second} to 10.1.0.2`);
    await subflowsAt(lab, first, second);
    const made = (await theConnection()).subflows.find(({ local }) => local.address === second);
    assert.ok(made);
    const { local, remote } = made;
    return { token, ends: `${local.address} port ${local.port} to ${remote.address} port ${remote.port}` };
  }

  async function recorded(): Promise<void> {
    await background("test-record", "record /root/recording");
    await waitFor("a connection to be recorded", async () => {
      await connect(lab, "system");
      await hangUp(lab);
      return (await lab.run("cat", "/root/recording")).includes("established");
    });
    await lab.run("systemctl", "stop", "test-record");
  }

  const uses: Readonly<Record<string, () => Promise<unknown>>> = {
    async "endpoint add"() {
      await ctl(`endpoint add ${first} id 5 dev up1 subflow`);
      assert.deepEqual(await endpoints(lab), [`${first} id 5 subflow dev up1`]);
    },
    async "endpoint change"() {
      await ctl(`endpoint add ${first} id 5 subflow`);
      await ctl("endpoint change id 5 backup");
      assert.deepEqual(await endpoints(lab), [`${first} id 5 subflow backup`]);
    },
    async "endpoint delete"() {
      await ctl(`endpoint add ${first} id 5 subflow`);
      await ctl("endpoint delete id 5");
      assert.deepEqual(await endpoints(lab), []);
    },
    async "endpoint show"() {
      await ctl(`endpoint add ${first} id 5 subflow`);
      assert.equal(await ctl("endpoint show"), await lab.run("ip", "mptcp", "endpoint", "show"));
    },
    async "endpoint flush"() {
      await ctl(`endpoint add ${first} id 5 subflow`);
      await ctl("endpoint flush");
      assert.deepEqual(await endpoints(lab), []);
    },
    async "limits set"() {
      await ctl("limits set subflows 4 add_addr_accepted 3");
      assert.match(await lab.run("ip", "mptcp", "limits"), /add_addr_accepted 3 subflows 4/);
    },
    async "limits show"() {
      assert.equal(await ctl("limits show"), await lab.run("ip", "mptcp", "limits"));
    },
    async monitor() {
      await background("test-monitor", "monitor");
      // It does not say when it has begun to listen.
      await waitFor("an event", async () => {
        await connect(lab, "system");
        await hangUp(lab);
        return /ESTABLISHED.*10\.1\.0\.2/i.test(await said("test-monitor"));
      });
      await lab.run("systemctl", "stop", "test-monitor");
    },
    async explain() {
      await start(lab);
      assert.match(await ctl(`explain ${first}`), /usable/);
    },
    async adopt() {
      await start(lab);
      await ctl("endpoint add 10.9.9.9 dev up1 id 9 subflow");
      await ctl("adopt 10.9.9.9");
      await waitFor("mptcpd to delete what is its own and of no use", () => endpoints(lab), {
        until: (found) => !found.join().includes("10.9.9.9"),
      });
    },
    async connections() {
      await connect(lab, "system");
      assert.match(await ctl("connections"), /10\.1\.0\.1.*10\.1\.0\.2/s);
    },
    async "subflow create"() {
      await withSubflow();
    },
    async "subflow change"() {
      const { token, ends } = await withSubflow();
      await ctl(`subflow change token ${token} ${ends} backup`);
      assert.match(await ctl("-j connections"), /"localBackup": ?true/);
    },
    async "subflow destroy"() {
      const { token, ends } = await withSubflow();
      await ctl(`subflow destroy token ${token} ${ends}`);
      await subflowsAt(lab, first);
    },
    async announce() {
      const { token } = await userspaceConnection();
      await lab.run("ip", "-netns", "peer", "mptcp", "endpoint", "add", "10.2.0.2", "subflow");
      assert.match(await ctl(`announce token ${token} ${second} id 9`), /10\.2\.0\.1/);
    },
    async withdraw() {
      const { token } = await userspaceConnection();
      await ctl(`announce token ${token} ${second} id 9`);
      assert.equal(await ctl(`withdraw token ${token} id 9`), "");
    },
    async listen() {
      await background("test-listen", `listen ${second} port 7000`);
      await waitFor("it to listen", async () =>
        /listening on 10\.2\.0\.1 port 7000/.test(await said("test-listen")),
      );
      await lab.run("systemctl", "stop", "test-listen");
    },
    record: recorded,
    async replay() {
      await recorded();
      assert.match(await ctl("replay /root/recording --plugin fullmesh"), /10\.2\.0\.1/);
    },
    async report() {
      await start(lab);
      assert.match(await ctl("report --output=-"), /^Id=mptcp\.service$/m);
    },
  };

  it("has a test here for each of its commands", () => {
    assert.deepEqual(Object.keys(uses).sort(), leavesOf(describeProgram()).sort());
  });
  for (const [name, use] of Object.entries(uses)) it(`does ${name}`, async () => void (await use()));
});

/** "endpoint add" and the like: the commands below which there are none. */
function leavesOf(command: Command): string[] {
  return command.commands.flatMap((below) =>
    below.commands.length === 0 ? below.name() : leavesOf(below).map((name) => `${below.name()} ${name}`),
  );
}
