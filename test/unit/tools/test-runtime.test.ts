import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, realpathSync, rmSync } from "node:fs";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { checkout } from "../../../src/lab/kit/checkout.ts";

type Environment = Readonly<Record<string, string>>;
type Runtime = {
  putNode: (wanted: string | undefined, directory: string) => string;
  environmentOfTests: (nodeDirectory: string, environment: Environment) => Environment;
};

const { putNode, environmentOfTests }: Runtime = await import(join(checkout, "tools/test-runtime.mjs"));

function directory(t: TestContext): string {
  const path = mkdtempSync("/tmp/mptcpd-runtime-");
  t.after(() => rmSync(path, { recursive: true }));
  return join(path, "bin");
}

describe("the Node that tests run on", () => {
  it("is the running one, where no other is named", (t) => {
    assert.equal(realpathSync(putNode(undefined, directory(t))), realpathSync(process.execPath));
  });

  it("is a copy of the named one, which every user may run", (t) => {
    const node = putNode(process.execPath, directory(t));
    assert.equal(execFileSync(node, ["--version"], { encoding: "utf8" }).trim(), process.version);
    assert.equal(realpathSync(node), node);
  });

  it("is refused where there is none", (t) => {
    assert.throws(
      () => putNode("/nonexistent/node", directory(t)),
      /--node \/nonexistent\/node: there is no such file/,
    );
  });
});

describe("the environment of tests", () => {
  it("has nothing of what a service manager, a shell or a runner of CI has set", () => {
    const odd = {
      NOTIFY_SOCKET: "/run/n",
      JOURNAL_STREAM: "8:1",
      TMPDIR: "/long",
      LC_ALL: "tr_TR.UTF-8",
      TZ: "Asia/Kolkata",
    };
    const more = {
      FORCE_COLOR: "1",
      GODEBUG: "multipathtcp=0",
      http_proxy: "http://192.0.2.1",
      NODE_OPTIONS: "--v8-options",
    };
    assert.deepEqual(environmentOfTests("/node", { PATH: "/bin", HOME: "/root", ...odd, ...more }), {
      ...{ PATH: "/node:/bin", HOME: "/root", LANG: "C.UTF-8", TZ: "UTC", TERM: "xterm-256color" },
    });
  });

  it("is the one of this test", () => {
    const { LANG, TZ, LC_ALL, NOTIFY_SOCKET, TMPDIR } = process.env;
    assert.deepEqual(
      [LANG, TZ, LC_ALL, NOTIFY_SOCKET, TMPDIR],
      ["C.UTF-8", "UTC", undefined, undefined, undefined],
    );
  });
});
