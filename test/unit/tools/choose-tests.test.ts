import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, it } from "node:test";
import { checkout } from "../../../src/lab/kit/checkout.ts";

type Options = { root: string; directory?: string; usual?: readonly string[]; asan?: boolean };

type Files = { chooseTests: (words: readonly string[], options: Options) => readonly string[] };

const { chooseTests }: Files = await import(join(checkout, "tools/test-files.mjs"));

const choose = (...words: string[]) => chooseTests(words, { root: checkout });
const log = "build/test/unit/base/log/log.test.js";
const tunnels = "build/test/kernel/tunnels.test.js";

describe("npm test --", () => {
  it("without words runs the files of all groups, unit tests first", () => {
    const files = choose();
    assert.deepEqual([files.includes(log), files.includes(tunnels)], [true, true]);
    assert.ok(files.indexOf(log) < files.indexOf(tunnels));
    assert.ok(files.some((file) => file.startsWith("build/test/system/")));
  });

  it("without words can leave out a group, which a word still chooses", () => {
    const options = { root: checkout, usual: ["unit", "kernel"] };
    const isOfSystem = (file: string) => file.startsWith("build/test/system/");
    assert.equal(chooseTests([], options).some(isOfSystem), false);
    assert.ok(chooseTests(["system"], options).every(isOfSystem));
  });

  it("with a group runs its files, and with a word those of them whose names have it", () => {
    assert.ok(choose("kernel").every((file) => file.startsWith("build/test/kernel/")));
    assert.deepEqual(choose("kernel", "tunnels"), [tunnels]);
    assert.ok(choose("tunnels", "log").includes(log));
  });

  it("with a path runs that file, whether it is the source or what it was compiled to", () => {
    const paths = ["test/kernel/tunnels.test.ts", tunnels, `./${tunnels}`];
    for (const path of [...paths, ...paths.map((name) => join(checkout, name))])
      assert.deepEqual(choose(path), [tunnels], path);
  });

  it("takes the place that a failing test prints", () => {
    assert.deepEqual(choose("test/kernel/tunnels.test.ts:47:3"), [tunnels]);
    assert.deepEqual(choose(join(checkout, "build/test/kernel/tunnels.test.js:47")), [tunnels]);
  });

  it("takes a path from the directory that npm was called in", () => {
    const options = { root: checkout, directory: join(checkout, "test/kernel") };
    assert.deepEqual(chooseTests(["tunnels.test.ts"], options), [tunnels]);
    assert.deepEqual(chooseTests(["test/kernel/tunnels.test.ts"], options), [tunnels]);
  });

  it("takes several paths, words beside them, and directories", () => {
    assert.deepEqual(choose("test/unit/base/log/log.test.ts", tunnels), [log, tunnels]);
    assert.deepEqual(choose("test/unit/base/log/log.test.ts", "tunnels"), [log, tunnels]);
    assert.deepEqual(choose("test/kernel"), choose("kernel"));
    assert.ok(choose("kernel", "test/unit/base/log/log.test.ts").length > 2);
  });

  it("with asan runs only what tests the parts in C", () => {
    const files = chooseTests([], { root: checkout, asan: true });
    assert.ok(files.includes("build/test/unit/kernel/addon.test.js"));
    assert.equal(files.includes(log), false);
  });

  it("refuses a word that chooses nothing, and says why", () => {
    assert.throws(() => choose("no-such-word"), /^Error: no test file has no-such-word in its name$/);
    assert.throws(() => choose("unit", "tunnels"), /no test file of the group unit has tunnels in its name/);
    assert.throws(() => choose("log", "no-such-word"), /no-such-word/);
    const missing = "test/kernel/missing.test.ts:1:2";
    assert.throws(
      () => choose(missing),
      /^Error: test\/kernel\/missing\.test\.ts:1:2: there is no such test file$/,
    );
    assert.throws(() => choose("test/vm/bpf.test.ts"), /`npm run test:vm` runs those/);
  });
});

const { beginnings, beginningsAlone, dependsOnNode, runsAlone }: TestNode = await import(
  join(checkout, "tools/test-node.mjs")
);

describe("npm test -- --on-node", () => {
  const files = choose();
  const chosen = files.filter(dependsOnNode);

  it("has a file for each beginning of its table", () => {
    const unused = beginnings.filter(
      (beginning) => !files.some((file) => file.includes(`test/${beginning}`)),
    );
    assert.deepEqual(unused, []);
  });

  it("leaves out no test whose name speaks of threads, loaders, programs, the addon or signals", () => {
    const words = /thread|-loading|programs-life|addon|netlink\.|mptcp-pm\.|lifecycle/;
    const leftOut = files.filter((file) => !chosen.includes(file) && words.test(file));
    assert.deepEqual(
      leftOut.filter((file) => !/real-programs|preload-/.test(file)),
      [],
    );
  });

  it("leaves out what is about C and the kernel alone", () => {
    for (const name of ["preload-linkage", "launcher-environment", "tunnels"])
      assert.ok(!chosen.includes(`build/test/kernel/${name}.test.js`), name);
  });
});

describe("the tests that run alone", () => {
  it("are a few of the kernel's, at least one for each beginning of their table", () => {
    const files = choose().filter(runsAlone);
    assert.ok(files.length < 8 && files.every((file) => file.startsWith("build/test/kernel/")), `${files}`);
    const used = (beginning: string) => files.some((file) => file.includes(`test/${beginning}`));
    assert.deepEqual(beginningsAlone.filter(used), beginningsAlone);
  });
});

interface TestNode {
  readonly beginnings: readonly string[];
  readonly beginningsAlone: readonly string[];
  readonly runsAlone: (file: string) => boolean;
  readonly dependsOnNode: (file: string) => boolean;
}
