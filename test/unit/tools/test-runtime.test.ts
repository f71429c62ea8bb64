import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, realpathSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { checkout } from "../../../src/lab/kit/checkout.ts";

type Environment = Readonly<Record<string, string>>;
type Runtime = {
  putNode: (wanted: string | undefined, directory: string) => string;
  withNodeInHugePages: (command: readonly string[], node: string) => string[];
  environmentOfTests: (nodeDirectory: string, environment: Environment) => Environment;
};

const { putNode, withNodeInHugePages, environmentOfTests }: Runtime = await import(
  join(checkout, "tools/test-runtime.mjs")
);

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

  it("is copied to a file system of the tests' own, where a copy can run", (t) => {
    const node = putNode(process.execPath, directory(t));
    const [program = "", ...args] = withNodeInHugePages(
      ["sh", "-c", 'stat --file-system --format %T "$0" && exec "$0" --version', node],
      node,
    );
    const [where, version] = execFileSync(program, args, { encoding: "utf8" }).split("\n");
    assert.equal(version, process.version);
    const canCopy = statSync(node).size > 32 << 20 && existsSync("/sys/kernel/mm/transparent_hugepage");
    if (canCopy) assert.equal(where, "tmpfs");
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
      ...{ PATH: `/node:/bin:${dirname(process.execPath)}`, HOME: "/root", SHLVL: "1" },
      ...{ LANG: "C.UTF-8", TZ: "UTC", TERM: "xterm-256color" },
    });
  });

  it("leaves out programs that the user has put before those of the machine", () => {
    const PATH = "/home/u/.pyenv/shims:/home/u2/bin:/usr/bin";
    const { PATH: found } = environmentOfTests("/node", { PATH, HOME: "/home/u" });
    assert.equal(found, `/node:/home/u2/bin:/usr/bin:${dirname(process.execPath)}`);
  });

  it("keeps a bash that a test starts from reading the user's ~/.bashrc", (t) => {
    const home = directory(t);
    mkdirSync(home);
    writeFileSync(join(home, ".bashrc"), "echo read\n");
    const { PATH = "" } = process.env;
    const said = (env: Environment) => execFileSync("bash", ["-c", "true"], { env, encoding: "utf8" });
    assert.equal(said({ ...environmentOfTests("/node", { PATH }), HOME: home }), "");
    // A pipe of Node's is a socket: bash takes itself for one that sshd has started.
    assert.equal(said({ PATH, HOME: home }), "read\n");
  });

  it("is the one of this test", () => {
    const { LANG, TZ, LC_ALL, NOTIFY_SOCKET, TMPDIR } = process.env;
    assert.deepEqual(
      [LANG, TZ, LC_ALL, NOTIFY_SOCKET, TMPDIR],
      ["C.UTF-8", "UTC", undefined, undefined, undefined],
    );
  });
});
