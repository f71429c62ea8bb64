import assert from "node:assert/strict";
import { once } from "node:events";
import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { waitFor } from "../../../../src/lab/kit/wait.ts";
import { definePathManager } from "../../../../src/path-managers/runtime/api.ts";
import { execPathManager } from "../../../../src/path-managers/runtime/exec.ts";
import { simulate } from "../../../../src/path-managers/simulation/simulation.ts";

describe("the end of a simulation", () => {
  it("ends what the path manager has opened itself, which would keep the test's process alive", async () => {
    const server = createServer();
    const opens = definePathManager({
      name: "opens",
      async setup({ signal }) {
        await once(server.listen(0, "127.0.0.1"), "listening");
        signal.addEventListener("abort", () => server.close());
        return {};
      },
    });
    const simulation = await simulate(opens);
    assert.ok(server.listening);
    await simulation[Symbol.asyncDispose]();
    assert.ok(!server.listening);
  });

  it("waits for programs that are path managers", async (t) => {
    const directory = mkdtempSync(join(tmpdir(), "mptcpd-end-"));
    t.after(() => rmSync(directory, { recursive: true }));
    const program = join(directory, "program");
    writeFileSync(
      program,
      `#!/bin/sh\ncd ${directory}\ntrap '' TERM\ntouch ready\ncat >/dev/null\nsleep 0.2\ntouch ended\n`,
    );
    chmodSync(program, 0o755);
    const simulation = await simulate(execPathManager("slow", [program]));
    await waitFor("the program to begin", () => existsSync(join(directory, "ready")));
    await simulation[Symbol.asyncDispose]();
    assert.ok(existsSync(join(directory, "ended")));
  });

  it("may come twice, and after a stop", async () => {
    const simulation = await simulate(definePathManager({ name: "nothing" }));
    simulation.stop();
    await simulation[Symbol.asyncDispose]();
    await simulation[Symbol.asyncDispose]();
    assert.throws(() => simulation.connections, /the path manager is stopped/);
  });
});
