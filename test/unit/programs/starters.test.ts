/** The scripts of bin/, as they lie in a checkout, in a package, and behind links. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, copyFileSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { checkout } from "../../../src/lab/kit/checkout.ts";
import { temporaryDirectory } from "../temporary.ts";

const programs = [
  { name: "mptcpd", installed: "usr/libexec/mptcpd" },
  { name: "mptcpctl", installed: "usr/bin/mptcpctl" },
] as const;

/** Stands in for Node: says who it is, and each of its arguments on a line. */
const recorder = (name: string) => `#!/bin/sh\necho ${name}\nprintf '%s\\n' "$@"\n`;

function place(root: string, path: string, text: string): string {
  const file = join(root, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
  chmodSync(file, 0o755);
  return file;
}

function placeStarter(root: string, name: string, path: string): string {
  const starter = place(root, path, "");
  copyFileSync(join(checkout, "bin", name), starter);
  return starter;
}

function inCheckout(t: TestContext, name: string) {
  const root = temporaryDirectory(t);
  place(root, `dist/${name}.js`, "");
  const node = dirname(place(root, "elsewhere/node", recorder("in PATH")));
  return { root, starter: placeStarter(root, name, `bin/${name}`), node };
}

function inPackage(t: TestContext, name: string, path: string) {
  const root = temporaryDirectory(t);
  place(root, `usr/lib/mptcpd/dist/${name}.js`, "");
  place(root, "usr/lib/mptcpd/node", recorder("packaged"));
  return { root, starter: placeStarter(root, name, path) };
}

/** Who ran, the program, and the arguments behind it: options of Node itself are left out. */
function started(command: string, args: readonly string[], environment: NodeJS.ProcessEnv, cwd = "/") {
  const { stdout, stderr, status } = spawnSync(command, args, { env: environment, cwd, encoding: "utf8" });
  assert.equal(status, 0, stderr);
  const [who, ...words] = stdout.split("\n").slice(0, -1);
  const at = words.findIndex((word) => word.endsWith(".js"));
  return { who, program: words[at], args: words.slice(at + 1) };
}

for (const { name, installed } of programs)
  describe(`the starter of ${name}`, () => {
    const args = ["--a=b c", "", "  d", "*", "$HOME", "-e"];

    describe("in a checkout", () => {
      it("runs the build on the Node in the PATH, with the arguments as they are", (t) => {
        const { root, starter, node } = inCheckout(t, name);
        const program = `${root}/bin/../dist/${name}.js`;
        assert.deepEqual(started(starter, args, { PATH: node }), { who: "in PATH", program, args });
      });

      it("runs it on the Node in $MPTCPD_NODE", (t) => {
        const { root, starter } = inCheckout(t, name);
        const MPTCPD_NODE = place(root, "a node", recorder("given"));
        assert.equal(started(starter, [], { MPTCPD_NODE }).who, "given");
      });

      it("says how to build it", (t) => {
        const root = temporaryDirectory(t);
        const starter = placeStarter(root, name, `bin/${name}`);
        const { status, stderr } = spawnSync(starter, [], { encoding: "utf8" });
        assert.equal(status, 1);
        assert.equal(
          stderr,
          `${name}: ${root}/bin/../dist/${name}.js is missing: run \`npm run build\` in a checkout, and link to this script instead of copying it\n`,
        );
      });
    });

    describe("in a package", () => {
      it("runs the program on the Node of the package, without another process", (t) => {
        const { root, starter } = inPackage(t, name, installed);
        const program = `${dirname(join(root, installed))}/../lib/mptcpd/dist/${name}.js`;
        // With no PATH there is no other process to be had.
        assert.deepEqual(started(starter, args, { PATH: "" }), { who: "packaged", program, args });
      });

      it("runs it on the Node in $MPTCPD_NODE", (t) => {
        const { root, starter } = inPackage(t, name, installed);
        const MPTCPD_NODE = place(root, "other/node", recorder("given"));
        assert.equal(started(starter, [], { MPTCPD_NODE }).who, "given");
      });
    });

    for (const [where, make] of [
      ["a checkout", inCheckout],
      ["a package", (t: TestContext) => ({ ...inPackage(t, name, installed), node: "" })],
    ] as const)
      describe(`from ${where}, finds the program`, () => {
        const run = (t: TestContext, from: (root: string, starter: string) => readonly [string, string?]) => {
          const { root, starter, node } = make(t, name);
          const [command, cwd] = from(root, starter);
          // Links are followed by readlink(1).
          const { PATH = "" } = process.env;
          return started(command, args, { PATH: node === "" ? PATH : `${node}:${PATH}` }, cwd);
        };
        const who = make === inCheckout ? "in PATH" : "packaged";

        it("through links to the script, relative and absolute", (t) => {
          const found = run(t, (root, starter) => {
            mkdirSync(join(root, "links to it"));
            symlinkSync(starter, join(root, "links to it/one"));
            symlinkSync("one", join(root, "links to it/two"));
            return [join(root, "links to it/two")];
          });
          assert.deepEqual([found.who, found.args], [who, args]);
        });

        it("through a link to its directory", (t) => {
          const found = run(t, (root, starter) => {
            mkdirSync(join(root, "links"));
            symlinkSync(dirname(starter), join(root, "links/programs"));
            return [join(root, "links/programs", name)];
          });
          assert.deepEqual([found.who, found.args], [who, args]);
        });

        it("by a path that is relative", (t) => {
          const found = run(t, (_, starter) => [`./${name}`, dirname(starter)]);
          assert.deepEqual([found.who, found.args], [who, args]);
        });
      });
  });
