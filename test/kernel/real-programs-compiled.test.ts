import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type { Host } from "../../src/lab/kit/host.ts";
import { Lab } from "../../src/lab/kit/lab.ts";
import { run } from "../../src/lab/kit/lab-process.ts";
import { requires } from "../../src/lab/kit/requires.ts";
import { eventually } from "../../src/lab/kit/wait.ts";
import { newerGo, newerGoProblem } from "../lab/downloads.ts";
import { launcher } from "../lab/launcher.ts";
import { assertAllMptcp, runMptcpized } from "../lab/mptcpized.ts";
import { type Build, compiled, compiledGo, source, toolsFor } from "../lab/programs.ts";

const skip = requires({ root: true, tools: [toolsFor.glibc, toolsFor.musl, toolsFor.go, "ss"] });
const builds: readonly Build[] = ["glibc", "glibc static", "musl", "musl static"];

describe("mptcpize run, with a program of each libc and linkage", { skip }, () => {
  let lab: Lab;
  let host: Host;
  before(async () => {
    lab = await Lab.create();
    host = await lab.host("one");
  });
  after(() => lab.close());

  const spoken = "listener 262, connection 262, accepted 262, namespace here: hello\n";
  for (const build of builds)
    describe(build, () => {
      const loopback = async (...args: string[]) =>
        runMptcpized(host, await compiled("loopback", build), ...args);

      it("makes listeners and connections MPTCP", async () => {
        assert.equal(await loopback("once"), spoken);
      });

      it("stays in the network namespace that the program makes for itself, with MPTCP there", async () => {
        assert.equal(await loopback("unshare"), spoken);
      });

      it("serves a server that forks and clients that are forked", async () => {
        assert.equal(await loopback("fork", "20"), "40 of 40\n");
      });

      it("serves threads", async () => {
        assert.equal(await loopback("threads", "20"), "20 of 20\n");
      });

      it("keeps the exit status", async () => {
        await assert.rejects(loopback("exit", "7"), { code: 7 });
      });

      for (const signal of ["SIGTERM", "SIGKILL"] as const)
        it(`leaves nothing behind of a program that is ended by ${signal}, which is told`, async (t) => {
          const host = await (await Lab.create(t)).host("one");
          const child = host.spawn(launcher, ["run", await compiled("loopback", build), "wait"]);
          await child.waitForLine(/^listener 262$/);
          child.signal(signal);
          assert.deepEqual(await child.exited, { code: null, signal });
          await eventually("neither socket nor process", async () => {
            assert.equal(await host.run("ss", "-HMln"), "");
            assert.equal(await run("ip", ["netns", "pids", host.namespace]), "");
          });
        });
    });

  for (const cgo of [false, true])
    it(`makes the sockets of an old Go MPTCP, ${cgo ? "with" : "without"} C`, async () => {
      assert.equal(
        await runMptcpized(host, await compiledGo("loopback", { cgo })),
        "listener 262, connection 262: hello\n",
      );
    });

  describe("Go since 1.21", { skip: newerGoProblem }, () => {
    const loopback = () => compiledGo("loopback", { cgo: false, go: newerGo });

    it("is told by its own variable", async () => {
      const inspection = await run("env", [
        "-u",
        "LD_PRELOAD",
        launcher,
        "run",
        "--dry-run",
        await loopback(),
      ]);
      assert.match(inspection, /^way: go$/m);
    });

    it("makes its sockets MPTCP", async () => {
      assert.equal(await runMptcpized(host, await loopback()), "listener 262, connection 262: hello\n");
    });

    it("makes TCP listeners, too, with --off", async () => {
      const command = ["run", "--off", await loopback()];
      assert.equal(await host.run(launcher, ...command), "listener 6, connection 6: hello\n");
      // By itself, this Go has them listen by MPTCP.
      assert.equal(await host.run(await loopback()), "listener 262, connection 6: hello\n");
    });
  });

  // Not skipped but left out: it is a large package, and one more program of glibc.
  if (!requires({ tools: ["javac"] }))
    it("makes the sockets of Java MPTCP", async () => {
      const jvm = await lab.host("jvm");
      await jvm.ip("link set lo up");
      assert.equal(await runMptcpized(jvm, "java", source("Loopback.java")), "hello\n");
      await assertAllMptcp(jvm);
    });
});
