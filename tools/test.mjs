// Sets up and runs the tests, all that can run here:
//   npm test                        everything
//   npm test -- unit                one group: unit, kernel (in network namespaces), system (in a booted systemd)
//   npm test -- kernel addon        the files of a group whose name has that word in it
//   npm test -- asan                the tests of the C parts, built for AddressSanitizer
// They run in a sandbox (tools/sandbox.mjs), file by file: many of them measure time. With CI=true a skipped test is
// a failure, unless the kernel or the machine cannot be given what it needs.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { buildPackagesForTests } from "./packages-for-tests.mjs";
import { isRoot, runToEnd, sandboxed, sandboxProblem } from "./sandbox.mjs";
import { fail, mptcpProblem, root, setUp } from "./setup.mjs";
import { fetchForSystemTests } from "./system-downloads.mjs";

const groups = ["unit", "kernel", "system"];
const words = process.argv.slice(2);
const asan = words.includes("asan");
const chosen = groups.filter((group) => words.includes(group));
const filters = words.filter((word) => word !== "asan" && !groups.includes(word));
if (asan) filters.push("addon", "launcher", "preload", "bpf");

setUp({ buildOptions: asan ? ["--asan"] : [] });
process.chdir(root);
const files = (chosen.length > 0 ? chosen : groups).flatMap(testFiles).filter(isWanted);
if (files.length === 0) fail(`no test file has ${filters.join(" or ")} in its name`);
// Only root can boot another system.
if (isRoot() && files.some((file) => /\/system\/|real-programs/.test(file))) fetchForSystemTests();
if (files.some((file) => /^(package-|docs-getting-started|docs-migrating)/.test(basename(file))))
  buildPackagesForTests();

const problem = sandboxProblem();
for (const reason of [problem, mptcpProblem()])
  if (reason) console.log(`${reason}; tests that need it are skipped`);
process.exitCode = await runTests(problem ? (command) => command : sandboxed);

async function runTests(wrap) {
  const scratch = mkdtempSync(join(tmpdir(), "mptcpd-test-"));
  try {
    const skips = join(scratch, "skips");
    const options = [
      ...["--enable-source-maps", "--test", "--test-concurrency=1", "--test-timeout=600000"],
      ...["--test-reporter=spec", "--test-reporter-destination=stdout"],
      ...["--test-reporter=./tools/skips.mjs", `--test-reporter-destination=${skips}`],
    ];
    const code = await runToEnd(wrap([...environment(), process.execPath, ...options, ...files]));
    return code || judgeSkips(readFileSync(skips, "utf8"));
  } finally {
    rmSync(scratch, { recursive: true });
  }
}

/** Packages can be installed; only for want of what cannot may CI skip a test: a kernel's drivers, rights to mount. */
function judgeSkips(skipped) {
  const lines = skipped.split("\n").filter((line) => line !== "");
  const excusable = [": needs a kernel with links of type ", ": needs cgroup2 and overlay mounts "];
  const inexcusable = lines.filter((line) => !excusable.some((reason) => line.includes(reason)));
  if (process.env.CI !== "true" || inexcusable.length === 0) return 0;
  console.error(`In CI these must not be skipped:\n${inexcusable.join("\n")}`);
  return 1;
}

function testFiles(group) {
  const directory = join("build/test", group);
  const names = readdirSync(directory, { recursive: true }).filter((name) => name.endsWith(".test.js"));
  return names.sort().map((name) => join(directory, name));
}

function isWanted(file) {
  return filters.length === 0 || filters.some((word) => basename(file).includes(word));
}

/** Which files the tests take, and the sanitizer: it must be the first library of the process that loads the addon. */
function environment() {
  if (!asan) return [];
  const library = execFileSync(process.env.CC ?? "cc", ["-print-file-name=libasan.so"], {
    encoding: "utf8",
  }).trim();
  const variables = {
    LD_PRELOAD: library,
    // Node leaves much to the end of the process, which the leak detector would blame on it.
    ASAN_OPTIONS: "detect_leaks=0",
    MPTCPD_ADDON: join(root, "dist/asan/addon.node"),
    // The launcher's tests start it without what is in here, and the library's with the sanitizer before it.
    MPTCPIZE: join(root, "dist/asan/mptcpize"),
    MPTCPIZE_ASAN: library,
  };
  return ["env", ...Object.entries(variables).map(([name, value]) => `${name}=${value}`)];
}
