// Runs tests under other kernels, in virtual machines (QEMU), and shows a table:
//   npm run test:vm                    all kernels: 6.1, 6.12 and the newest that Debian has
//   npm run test:vm -- 6.12 tunnels    one kernel, the files whose name has that word in it
//   npm run test:vm -- --kvm           faster, where the machine's KVM runs a common kernel
// As root; takes some minutes and, the first time, 100 MB from Debian's mirror.
import { existsSync, readdirSync, statSync } from "node:fs";
import { constants, homedir } from "node:os";
import { basename, join, relative } from "node:path";
import { fail, root, setUp } from "./setup.mjs";
import { fetchKernels, wantedKernels } from "./vm-kernels.mjs";
import { runInMachine, tools } from "./vm-machine.mjs";

// What the kernel has a part in: in the sandbox of `npm test`, or, if the name says so, under systemd.
const groups = [
  { directory: "vm", pattern: /./ },
  { directory: "kernel", pattern: /^(bpf-options|launcher|preload|mptcp-pm|sockets|tunnels|usable)/ },
  // Of path managers only what is about the kernel: the rest measures time, of which an emulated machine has little.
  // 6.1 does not bind a subflow that is asked for to an interface, nor make it backup.
  { directory: "kernel", pattern: /^path-managers-subflows/, without: "6.1" },
  { directory: "system", pattern: /^unit-(service|sandbox)/ },
];
const isForSystemd = (file) => /^(systemd|unit)-/.test(basename(file));
/** Links that the tests make; who asks for one in a namespace of its own need not load its driver. */
const modules = [
  "veth",
  "tun",
  "dummy",
  "wireguard",
  "ipip",
  "ip_gre",
  "ip6_gre",
  "sit",
  "vrf",
  "bonding",
  "team",
];
const testTimeoutMs = 600_000;

const words = process.argv.slice(2);
const accelerator = words.includes("--kvm") ? "kvm" : "tcg,thread=multi";
const kernels = wantedKernels.filter(({ name }) => words.includes(name));
const filters = words.filter((word) => word !== "--kvm" && !kernels.some(({ name }) => name === word));

// By default a signal would end this without a chance to tidy up.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"])
  process.on(signal, () => process.exit(128 + constants.signals[signal]));

requireHost();
setUp();
process.chdir(root);
const chosen = kernels.length > 0 ? kernels : wantedKernels;
if (chosen.every(({ name }) => testFiles(name).length === 0))
  fail(`no test file has ${filters.join(" or ")} in its name`);

const rows = [];
for (const kernel of fetchKernels(chosen)) {
  const files = testFiles(kernel.name);
  const systemd = files.filter(isForSystemd);
  const plain = files.filter((file) => !isForSystemd(file));
  if (plain.length > 0) rows.push(...(await runTests(kernel, plain, { systemd: false })));
  if (systemd.length > 0) rows.push(...(await runTests(kernel, systemd, { systemd: true })));
}
report(rows);
process.exitCode = rows.some(({ failed }) => failed.length > 0) ? 1 : 0;

function requireHost() {
  if (process.getuid() !== 0) fail("virtual machines take root here: their root is this machine's");
  if (process.arch !== "x64") fail("only kernels for amd64 are known");
  const path = process.env.PATH.split(":");
  const isThere = (tool) => path.some((directory) => existsSync(join(directory, tool))) || existsSync(tool);
  const missing = Object.keys(tools).filter((name) => !isThere(tools[name]));
  if (missing.length > 0) fail(`Some packages are missing; install them: apt install ${missing.join(" ")}`);
  // The machines see one file system.
  for (const directory of [root, homedir()])
    if (statSync(directory).dev !== statSync("/").dev)
      fail(`${directory} is not on the file system of /, so a virtual machine would not see it`);
}

function testFiles(kernel) {
  return groups.filter(({ without }) => without !== kernel).flatMap(filesOf);
}

function filesOf({ directory, pattern }) {
  const path = join("build/test", directory);
  if (!existsSync(path)) return [];
  const names = readdirSync(path).filter((name) => name.endsWith(".test.js") && pattern.test(name));
  const isWanted = (name) => filters.length === 0 || filters.some((word) => name.includes(word));
  return names
    .filter(isWanted)
    .sort()
    .map((name) => join(path, name));
}

async function runTests(kernel, tests, { systemd }) {
  console.log(`\n=== ${kernel.version}${systemd ? " with systemd" : ""}: ${tests.length} files`);
  const { status, results } = await runInMachine(kernel, commandFor(tests, systemd), {
    directory: root,
    systemd,
    accelerator,
  });
  const outcomes = results
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => line.split("\t"));
  return tests.map(sourceOf).map((file) => {
    const own = outcomes.filter(([path]) => path === file);
    const those = (outcome) => own.filter(([, what]) => what === outcome);
    const failed = those("failed").map(([, , name]) => name);
    if (own.length === 0) failed.push(status === undefined ? "the machine ended" : "no result");
    return { kernel, file, passed: those("passed"), skipped: those("skipped"), failed };
  });
}

/** Source maps are on, so node:test names a file by its source. */
function sourceOf(compiled) {
  return relative("build", compiled).replace(/\.js$/, ".ts");
}

function commandFor(tests, systemd) {
  const options = [
    ...["--enable-source-maps", "--test", "--test-concurrency=1", `--test-timeout=${testTimeoutMs}`],
    ...["--test-reporter=spec", "--test-reporter-destination=stdout"],
    ...["--test-reporter=./tools/vm-results.mjs", "--test-reporter-destination=$VM_RESULTS"],
  ];
  const node = [process.execPath, ...options, ...tests].join(" ");
  const sandbox = systemd ? "" : `${process.execPath} tools/sandbox.mjs `;
  const load = modules.map((name) => `modprobe -q ${name}`).join("; ");
  const colours = process.stdout.isTTY ? "" : "NO_COLOR=1 ";
  return `${load}; ${colours}MPTCPD_VM=${systemd ? "systemd" : "plain"} ${sandbox}${node}`;
}

function report(rows) {
  console.log();
  const lines = [["kernel", "file", "passed", "skipped", "failed"]];
  for (const { kernel, file, passed, skipped, failed } of rows)
    lines.push([kernel.version, file, passed.length, skipped.length, failed.length].map(String));
  const widths = lines[0].map((_, column) => Math.max(...lines.map((line) => line[column].length)));
  for (const line of lines)
    console.log(
      line
        .map((cell, column) => cell.padEnd(widths[column]))
        .join("  ")
        .trimEnd(),
    );
  for (const { kernel, file, skipped, failed } of rows) {
    for (const reason of new Set(skipped.map(([, , , why]) => why)))
      console.log(`skipped  ${kernel.version}  ${file}: ${reason}`);
    for (const name of failed) console.log(`FAILED   ${kernel.version}  ${file}: ${name}`);
  }
}
