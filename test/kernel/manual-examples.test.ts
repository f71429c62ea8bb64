import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { checkout } from "../../src/lab/kit/checkout.ts";
import type { Host } from "../../src/lab/kit/host.ts";
import { Lab } from "../../src/lab/kit/lab.ts";
import { requires } from "../../src/lab/kit/requires.ts";
import { waitFor } from "../../src/lab/kit/wait.ts";
import { sectionOf } from "../unit/manual/page.ts";

/** A line that somebody types, and what follows on the screen. */
type Step = { readonly command: string; readonly output: readonly string[] };

/** The examples of a page that are commands. */
function examplesOf(page: string): Step[][] {
  const { blocks } = sectionOf(page, "EXAMPLES");
  return blocks.filter((block) => /^[$#] /.test(block)).map(stepsOf);
}

function stepsOf(block: string): Step[] {
  const steps = block
    .trimEnd()
    .split(/^[$#] /m)
    .slice(1);
  return steps.map((text) => {
    const [command = "", ...output] = text.trimEnd().split("\n");
    return { command, output };
  });
}

/** Types a line in a host, with this checkout's programs in the PATH. */
class Shell {
  readonly #host: Host;
  readonly #prefix: string;

  constructor(lab: Lab, host: Host) {
    this.#host = host;
    // State has to go with the lab.
    this.#prefix = `cd ${lab.directory} && export PATH=${join(checkout, "bin")}:$PATH RUNTIME_DIRECTORY=${lab.directory}/run && `;
  }

  async check({ command, output }: Step): Promise<void> {
    const written = await this.#host.run("sh", "-c", this.#prefix + command);
    const lines = written
      .trimEnd()
      .split("\n")
      .filter((line) => line !== "");
    assert.deepEqual(
      lines.map((line) => line.trimEnd()),
      output,
      command,
    );
  }

  spawn(command: string) {
    return this.#host.spawn("sh", ["-c", `${this.#prefix}exec ${command}`]);
  }
}

async function inNamespaceLte<T>(host: Host, act: () => Promise<T>): Promise<T> {
  await host.run("ip", "netns", "add", "lte");
  try {
    return await act();
  } finally {
    await host.run("ip", "netns", "delete", "lte");
  }
}

describe("examples of mptcpd(8)", { skip: requires() }, () => {
  it("do and say what the page says", async (t) => {
    const lab = await Lab.create(t);
    const host = await lab.host("host");
    await lab.link({ a: [host, "eth0", "192.0.2.10/24"] });
    const shell = new Shell(lab, host);
    const [[check] = [], [plan] = [], [elsewhere] = [], ...more] = examplesOf("mptcpd.8");
    assert.ok(check && plan && elsewhere && more.length === 0);
    const file = join(checkout, "packaging/mptcpd.conf");
    await shell.check({ ...check, command: check.command.replace("/etc/mptcpd/mptcpd.conf", file) });
    await shell.check(plan);
    await inNamespaceLte(host, async () => {
      const daemon = shell.spawn(elsewhere.command.replace("/run/mptcpd-lte", `${lab.directory}/lte`));
      await daemon.waitForLine(/ready/);
      assert.deepEqual(await daemon.stop(), { code: 0, signal: null });
    });
  });
});

describe("examples of mptcpctl(8)", { skip: requires() }, () => {
  it("do and say what the page says", async (t) => {
    const lab = await Lab.create(t);
    const host = await lab.host("host");
    await lab.link({ a: [host, "eth2", "10.0.2.2/24"] });
    await host.run("mkdir", join(lab.directory, "run"));
    const shell = new Shell(lab, host);
    const [add, change, limits, explain, adopt, [record, replay] = [], [report] = [], ...more] =
      examplesOf("mptcpctl.8");
    assert.ok(add && change && limits && explain && adopt && record && replay && report && more.length === 0);
    const [given] = add;
    assert.ok(given);
    for (const step of [...add, ...change]) await shell.check(step);
    assert.equal((await host.ip("mptcp endpoint show")).trim(), "");
    await inNamespaceLte(host, async () => {
      for (const step of limits) await shell.check(step);
    });
    for (const step of [given, ...explain, ...adopt]) await shell.check(step);

    const recorder = shell.spawn(record.command);
    const file = join(lab.directory, "trouble.rec");
    await waitFor("the recording to begin", () => textOf(file), {
      until: (text) => text.includes("connections"),
    });
    recorder.signal("SIGINT");
    assert.deepEqual(await recorder.exited, { code: 0, signal: null });
    await shell.check(replay);
    await shell.check(report);
  });
});

describe("examples of mptcpize(8)", { skip: requires({ tools: ["curl"] }) }, () => {
  // Those with units are tested in a booted systemd: test/system/mptcpize-*.test.ts.
  it("do and say what the page says", async (t) => {
    const lab = await Lab.create(t);
    const host = await lab.host("host");
    const shell = new Shell(lab, host);
    const [[run] = [], [dryRun] = []] = examplesOf("mptcpize.8");
    assert.ok(run && dryRun);
    const library = join(checkout, "dist/libmptcpwrap.so");
    const output = dryRun.output.map((line) => line.replace("/usr/lib/mptcpd/libmptcpwrap.so", library));
    await shell.check({ ...dryRun, output });

    const server = `require("http").createServer((_, answer) => answer.end()).listen(8080, "127.0.0.1", () => console.log("up"))`;
    const process = host.spawn("node", ["-e", server]);
    await process.waitForLine(/up/);
    const client = shell.spawn(run.command);
    assert.deepEqual(await client.exited, { code: 0, signal: null });
    assert.match(client.output, /: preload$/m);
    assert.match(client.output, /IPPROTO_MPTCP/);
  });
});

describe("the example of mptcpd-plugins(7)", { skip: requires() }, () => {
  it("is a path manager that mptcpd takes", async (t) => {
    const lab = await Lab.create(t);
    const host = await lab.host("host");
    const shell = new Shell(lab, host);
    const { blocks } = sectionOf("mptcpd-plugins.7", "EXAMPLES");
    const [module = "", install = "", config = "", check = ""] = blocks;
    const here = (text: string) => text.replaceAll("/usr/local/lib/mptcpd", join(lab.directory, "plugins"));
    writeFileSync(join(lab.directory, "everywhere.ts"), module);
    writeFileSync(join(lab.directory, "mptcpd.conf"), here(config), { mode: 0o644 });
    for (const step of stepsOf(here(install))) await shell.check(step);
    const [load] = stepsOf(check);
    assert.ok(load);
    const command = `${load.command} --config=mptcpd.conf`;
    await shell.check({ command, output: ["the configuration is valid"] });
    // What cannot be loaded is told.
    writeFileSync(join(lab.directory, "plugins/everywhere.ts"), "export default 1;\n");
    await assert.rejects(shell.check({ command, output: [] }), /everywhere\.ts/);
  });
});

function textOf(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}
