import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { checkout } from "../lab/checkout.ts";

type Options = { root: string; directory?: string; asan?: boolean };

type Files = { chooseTests: (words: readonly string[], options: Options) => readonly string[] };

const { chooseTests }: Files = await import(join(checkout, "tools/test-files.mjs"));

const choose = (...words: string[]) => chooseTests(words, { root: checkout });
const sourceOf = (file: string) => file.replace(/^build\//, "").replace(/\.js$/, ".ts");
const log = "build/test/unit/log.test.js";
const tunnels = "build/test/kernel/tunnels.test.js";

describe("npm test --", () => {
  it("without words runs the files of all groups, unit tests first", () => {
    const files = choose();
    assert.deepEqual([files.includes(log), files.includes(tunnels)], [true, true]);
    assert.ok(files.indexOf(log) < files.indexOf(tunnels));
    assert.ok(files.some((file) => file.startsWith("build/test/system/")));
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
    assert.deepEqual(choose("test/unit/log.test.ts", tunnels), [log, tunnels]);
    assert.deepEqual(choose("test/unit/log.test.ts", "tunnels"), [log, tunnels]);
    assert.deepEqual(choose("test/kernel"), choose("kernel"));
    assert.ok(choose("kernel", "test/unit/log.test.ts").length > 2);
  });

  it("with asan runs only what tests the parts in C", () => {
    const files = chooseTests([], { root: checkout, asan: true });
    assert.ok(files.includes("build/test/unit/addon.test.js"));
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

type Rule = (file: string, options: { root: string }) => boolean;

const { dependsOnNode }: { dependsOnNode: Rule } = await import(join(checkout, "tools/test-node.mjs"));

describe("npm test -- --on-node", () => {
  const files = choose();
  const chosen = files.filter((file) => dependsOnNode(file, { root: checkout }));
  const leftOut = files.filter((file) => !chosen.includes(file));

  it("leaves out no test of path managers, threads, loaders, programs, plugins or the addon", () => {
    const words =
      /path-manager|thread|-loading|program-|programs-|plugin|addon|rtnetlink|mptcp-pm|(?<!p)reload|lifecycle|faults-(plugins|service)/;
    assert.deepEqual(
      leftOut.filter((file) => words.test(file)),
      [],
    );
  });

  it("leaves out no test that has a path manager of its own, or calls the addon", () => {
    const signs = [/definePathManager|plugin-dir|load-plugins|puppet/, /src\/(netlink|kernel|plugins)\//];
    const found = leftOut.filter((file) => {
      const source = readFileSync(join(checkout, sourceOf(file)), "utf8");
      return signs.some((sign) => sign.test(source));
    });
    assert.deepEqual(found, []);
  });

  it("leaves out no unit test", () => {
    assert.deepEqual(
      leftOut.filter((file) => file.includes("/unit/")),
      [],
    );
  });

  it("leaves out what is about C and the kernel alone", () => {
    for (const name of ["preload-linkage", "launcher-environment", "tunnels"])
      assert.ok(leftOut.includes(`build/test/kernel/${name}.test.js`), name);
  });
});
