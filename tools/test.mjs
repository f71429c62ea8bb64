// Sets up and runs the tests:
//   npm test                          the groups unit and kernel; with CI=true all groups
//   npm test -- unit                  one group: unit, kernel (in network namespaces), system (in a booted systemd)
//   npm test -- kernel addon          the files of a group whose name has that word in it
//   npm test -- test/unit/base/log/log.test.ts the files at a path, as a failing test prints it
//   npm test -- asan                  the tests of the parts in C, built for AddressSanitizer
//   npm test -- --node packaged       on the Node that the packages bring, or on the one at a path
//   npm test -- --on-node             only the tests that touch interfaces of Node (tools/test-node.mjs)
//   npm test -- --jobs 1              so many files side by side; by default, as many as there are processors (half as
//                                     many more of the groups kernel and system, which wait a lot)
// They run in sandboxes (tools/sandbox.mjs): first the unit tests, then the kernel tests, each file in a sandbox of its
// own, then those that must run alone, then the system tests. With CI=true a skipped test is a failure, unless the
// kernel or the machine cannot be given what it needs.
import { execFileSync } from "node:child_process";
import {
  appendFileSync,
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { availableParallelism } from "node:os";
import { basename, dirname, join } from "node:path";
import { parseArgs } from "node:util";
import { buildPackagesForTests } from "./packages-for-tests.mjs";
import { isRoot, runToEnd, sandboxed, sandboxProblem, sandboxScript } from "./sandbox.mjs";
import { fail, mptcpProblem, root, setUp } from "./setup.mjs";
import { fetchForSystemTests } from "./system-downloads.mjs";
import { chooseTests, groups, isOfAddon } from "./test-files.mjs";
import { dependsOnNode, runsAlone } from "./test-node.mjs";
import { environmentOfTests, putNode, versionOf, withNodeInHugePages } from "./test-runtime.mjs";

/** Directories in the scratch directory: what every user may write, and what tests compile for each other. */
const sanitizerReports = "sanitizer";
const programs = "programs";

const { words, asan, node: wantedNode, onNode, computing, waiting } = readArguments();
setUp({ buildOptions: asan ? ["--asan"] : [] });
process.chdir(root);
const files = chosenFiles();
// Only root can boot another system.
if (isRoot() && files.some((file) => /\/system\/|real-programs/.test(file))) fetchForSystemTests();
if (files.some((file) => /^(package-|docs-getting-started|docs-migrating)/.test(basename(file))))
  buildPackagesForTests();

const problem = sandboxProblem();
for (const reason of [problem, mptcpProblem()])
  if (reason) console.log(`${reason}; tests that need it are skipped`);
process.exitCode = await runTests();

function readArguments() {
  try {
    const { values, positionals } = parseArgs({
      options: {
        node: { type: "string" },
        "on-node": { type: "boolean", default: false },
        jobs: { type: "string" },
      },
      allowPositionals: true,
    });
    const isAsan = positionals.includes("asan");
    const others = positionals.filter((word) => word !== "asan");
    const { jobs } = values;
    if (jobs !== undefined && !/^[1-9]\d*$/.test(jobs))
      throw new Error(`--jobs ${jobs}: not a number of files`);
    return { words: others, asan: isAsan, node: values.node, onNode: values["on-node"], ...sideBySide(jobs) };
  } catch (error) {
    return fail(error.message);
  }
}

/** How many files of a group run side by side: of those that compute, and of those that wait for other processes. */
function sideBySide(given) {
  const computing = Number(given ?? availableParallelism());
  return { computing, waiting: given === undefined ? Math.ceil(1.5 * computing) : computing };
}

function chosenFiles() {
  try {
    // Booting systems takes root and a quarter of an hour: who changes something else should not wait for it.
    const usual = process.env.CI === "true" || asan || onNode ? groups : ["unit", "kernel"];
    if (words.length === 0 && usual.length < groups.length)
      console.log("system tests run only when asked for: npm test -- system");
    const chosen = chooseTests(words, { root, asan, usual, directory: process.env.INIT_CWD });
    return onNode ? chosen.filter(dependsOnNode) : chosen;
  } catch (error) {
    return fail(error.message);
  }
}

async function runTests() {
  // TMPDIR may be below /run, which the sandbox covers, or have a name that is too long for sockets.
  const scratch = mkdtempSync("/tmp/mptcpd-test-");
  // Some tests are other users.
  chmodSync(scratch, 0o755);
  mkdirSync(join(scratch, sanitizerReports));
  mkdirSync(join(scratch, programs));
  chmodSync(join(scratch, sanitizerReports), 0o1777);
  process.umask(0o022);
  try {
    const node = nodeIn(join(scratch, "bin"));
    const runs = { unit: [], kernel: [], alone: [], system: [] };
    for (const file of files) runs[runOf(file)].push(file);
    const codes = [];
    for (const { some, ...how } of [
      { some: runs.unit, concurrency: computing },
      { some: runs.kernel, concurrency: waiting, eachApart: true },
      { some: runs.alone, concurrency: 1, eachApart: true },
      { some: runs.system, concurrency: waiting },
    ]) {
      const [withAddon, others] = [some.filter(isOfAddon), some.filter((file) => !isOfAddon(file))];
      if (asan) codes.push(await runFiles(withAddon, { node, scratch, ...how, sanitizesNode: true }));
      codes.push(await runFiles(asan ? others : some, { node, scratch, ...how }));
    }
    codes.push(judgeSanitizer(scratch));
    reportSlowest(join(scratch, "durations"));
    return Math.max(...codes);
  } finally {
    rmSync(scratch, { recursive: true });
  }
}

/** Files of a run are side by side, but for those that have to run alone. */
function runOf(file) {
  if (runsAlone(file)) return "alone";
  if (file.includes("/unit/")) return "unit";
  return file.includes("/system/") ? "system" : "kernel";
}

function nodeIn(directory) {
  try {
    const node = putNode(wantedNode, directory);
    console.log(`tests run on Node ${versionOf(node)}`);
    return node;
  } catch (error) {
    return fail(error.message);
  }
}

/**
 * Gives 0, or the exit status of what has failed. The files share a sandbox, or with `eachApart` have one each: what
 * one does to its network, its mounts and its processes no other sees.
 */
async function runFiles(some, { node, scratch, concurrency, eachApart = false, sanitizesNode = false }) {
  if (some.length === 0) return 0;
  const [skips, took] = [join(scratch, "skips"), join(scratch, "took")];
  const options = [
    ...["--enable-source-maps", "--test", `--test-concurrency=${concurrency}`, "--test-timeout=600000"],
    ...["--test-reporter=spec", "--test-reporter-destination=stdout"],
    ...["--test-reporter=./tools/skips.mjs", `--test-reporter-destination=${skips}`],
    ...["--test-reporter=./tools/durations.mjs", `--test-reporter-destination=${took}`],
  ];
  const environment = {
    ...environmentOfTests(dirname(node)),
    MPTCPD_TEST_PROGRAMS: join(scratch, programs),
  };
  const runner = [
    "setpriv",
    "--pdeathsig",
    "KILL",
    "env",
    "--ignore-environment",
    ...assignments(environment),
  ];
  // The tests see the sanitizer, and what makes the sandbox does not.
  const own = ["env", ...assignments(sanitizer(scratch, sanitizesNode)), node];
  const command =
    eachApart && !problem
      ? [...runner, node, startsFilesBy(sandboxScript(own), scratch), ...options, ...some]
      : inSandbox([...runner, ...own, ...options, ...some]);
  const code = await runToEnd(problem ? command : withNodeInHugePages(command, node));
  appendFileSync(join(scratch, "durations"), readFileSync(took));
  return code || judgeSkips(readFileSync(skips, "utf8"));
}

function inSandbox(command) {
  return problem ? command : sandboxed(command);
}

function assignments(variables) {
  return Object.entries(variables).map(([name, value]) => `${name}=${value}`);
}

/** An option for a Node that runs test files: it starts each of them by a script instead of by itself. */
function startsFilesBy(script, scratch) {
  const [program, module] = [join(scratch, "start-file"), join(scratch, "start-file.cjs")];
  writeFileSync(program, script, { mode: 0o755 });
  // node:test starts a file by this path. The files load the module, too, and are to know Node.
  const text = `if (!process.env.NODE_TEST_CONTEXT) process.execPath = ${JSON.stringify(program)};\n`;
  writeFileSync(module, text);
  return `--require=${module}`;
}

/** Where the time has gone, if there was much. */
function reportSlowest(file) {
  const rows = readFileSync(file, "utf8").trimEnd().split("\n");
  const slow = rows.map((row) => row.split(" ")).filter(([duration]) => duration > 10_000);
  if (slow.length === 0) return;
  slow.sort(([one], [other]) => other - one);
  console.log("The slowest files, in seconds:");
  for (const [duration, name] of slow.slice(0, 20))
    console.log(`${String(Math.round(duration / 1000)).padStart(5)} ${name}`);
}

/** Packages can be installed; only for want of what cannot may CI skip a test: a kernel's drivers, rights to mount. */
function judgeSkips(skipped) {
  const lines = skipped.split("\n").filter((line) => line !== "");
  const excusable = [
    /: needs a kernel with links of type /,
    // In the words of the programs that were refused; a fault of our own script is none.
    /: needs cgroup2 and overlay mounts \((no cgroup2 is mounted|mount:|umount:|unshare:|mkdir: .*cgroup)/,
  ];
  const inexcusable = lines.filter((line) => !excusable.some((reason) => reason.test(line)));
  if (process.env.CI !== "true" || inexcusable.length === 0) return 0;
  console.error(`In CI these must not be skipped:\n${inexcusable.join("\n")}`);
  return 1;
}

/** A process without standard error, such as the seccomp supervisor, can tell nobody else. */
function judgeSanitizer(scratch) {
  const directory = join(scratch, sanitizerReports);
  const reports = readdirSync(directory);
  for (const name of reports) console.error(readFileSync(join(directory, name), "utf8"));
  return reports.length > 0 ? 1 : 0;
}

/**
 * It must be the first library of the process that loads the addon. Only such a Node has it: with it, each start of a
 * process by Node takes far longer.
 */
function sanitizer(scratch, sanitizesNode) {
  if (!asan) return {};
  const library = execFileSync(process.env.CC ?? "cc", ["-print-file-name=libasan.so"], {
    encoding: "utf8",
  }).trim();
  return {
    // Node leaves much to the end of the process, which the leak detector would blame on it.
    ASAN_OPTIONS: `detect_leaks=0:log_path=${join(scratch, sanitizerReports, "report")}`,
    // The launcher's tests start it without LD_PRELOAD, and the library's with the sanitizer before it.
    MPTCPIZE: join(root, "dist/asan/mptcpize"),
    MPTCPIZE_ASAN: library,
    ...(sanitizesNode && { LD_PRELOAD: library, MPTCPD_ADDON: join(root, "dist/asan/addon.node") }),
  };
}
