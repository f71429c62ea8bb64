// Measures mptcpd and mptcpize, and the C programs of Debian's packages beside them, unpacked and not installed:
//   npm run bench                       the table, about eight minutes
//   npm run bench -- --matrix           additions under other circumstances, about eight minutes; says what got slower
//   npm run bench -- --growth           how cost grows with addresses and connections
//   npm run bench -- … --node packaged  on the Node that the packages bring, or on the one at a path
//   npm run bench -- … --quick          about a minute, to see that it works; keeps nothing
//   npm run bench -- --docs             puts bench/results.json into docs/benchmarks.md; measures nothing
// bench/results.json has the last run of each part on each Node.
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { isRoot, runToEnd, sandboxed, sandboxProblem } from "./sandbox.mjs";
import { fail, mptcpProblem, root, setUp } from "./setup.mjs";
import { putNode } from "./test-runtime.mjs";

const { values: options } = parseArgs({
  options: {
    ...Object.fromEntries(
      ["quick", "docs", "matrix", "growth"].map((name) => [name, { type: "boolean", default: false }]),
    ),
    node: { type: "string" },
  },
});
// Certificates of the machine's own cost every start of Node 70 ms.
delete process.env.NODE_EXTRA_CA_CERTS;

setUp();
process.chdir(root);
if (options.docs) {
  execFileSync(process.execPath, [
    "build/bench/docs.js",
    ...["bench/results.json", "docs/benchmarks.md", "docs/pictures"],
  ]);
  process.exit();
}
const problem = mptcpProblem() ?? sandboxProblem();
if (problem) fail(`cannot measure here: ${problem}`);

const scratch = mkdtempSync(join(tmpdir(), "mptcpd-bench-"));
try {
  const node = putNode(options.node, join(scratch, "bin"));
  process.env.MPTCPD_NODE = node;
  process.exitCode = await runToEnd(
    sandboxed([
      node,
      ...["--enable-source-maps", "build/bench/main.js", "--results", "bench/results.json"],
      ...["--meter", compile("meter"), "--launch", compile("launch")],
      ...["--connections", compile("connections", ["-pthread"])],
      ...["--floor-c", compile("floor"), "--floor-node", await bundleFloor()],
      ...theirs(join(scratch, "packages")),
      ...["quick", "matrix", "growth"].filter((name) => options[name]).map((name) => `--${name}`),
    ]),
  );
} finally {
  rmSync(scratch, { recursive: true });
}

function compile(name, more = [], output = join(scratch, name)) {
  const flags = ["-std=gnu11", "-O2", "-Wall", "-Wextra", "-Wshadow", "-Werror", ...more];
  execFileSync(process.env.CC ?? "cc", [...flags, `bench/${name}.c`, "-o", output], { stdio: "inherit" });
  return output;
}

/** As the programs are bundled, with the addon beside it. */
async function bundleFloor() {
  // Only now it is certain to be installed.
  const { build } = await import("esbuild");
  const outfile = join(scratch, "floor.cjs");
  const here = { "import.meta.dirname": "__dirname", "import.meta.url": "__filename" };
  const options = { bundle: true, platform: "node", format: "cjs", define: here };
  await build({ entryPoints: ["bench/floor.ts"], outfile, ...options });
  symlinkSync(join(root, "dist/addon.node"), join(scratch, "addon.node"));
  return outfile;
}

/** Unpacks the C programs, their libraries and plugins; says why where it cannot. */
function theirs(directory) {
  try {
    mkdirSync(directory);
    download(["mptcpd", "mptcpd-plugins", "mptcpize", "libmptcpd3-dev"], directory);
    const libraries = packagesIn(directory).flatMap(dependencies);
    download([...new Set(libraries)], directory);
    const version = field(
      packagesIn(directory).find((name) => /mptcpd_/.test(name)),
      "Version",
    );
    for (const name of packagesIn(directory)) execFileSync("dpkg-deb", ["--extract", name, directory]);
    const plugins = join(scratch, "plugins");
    mkdirSync(plugins);
    const headers = `-I${join(directory, "usr/include")}`;
    compile("plugin", ["-fPIC", "-shared", headers], join(plugins, "bench.so"));
    return [
      ...["--theirs", directory, "--theirs-name", `mptcpd ${version} (Debian)`],
      ...["--their-plugins", plugins],
    ];
  } catch (error) {
    const [cause] = (error.stderr?.toString() || error.message).trim().split("\n");
    console.error(`Debian's package mptcpd cannot be fetched (${cause}): measuring ours alone`);
    return [];
  }
}

/** apt knows packages only after an update, which a fresh container has not had; only root can make one. */
function download(names, directory) {
  const fetch = () =>
    execFileSync("apt-get", ["-qq", "download", ...names], { cwd: directory, stdio: "pipe" });
  try {
    fetch();
  } catch (error) {
    if (!isRoot()) throw error;
    execFileSync("apt-get", ["-qq", "update"], { stdio: "pipe" });
    fetch();
  }
}

function packagesIn(directory) {
  return readdirSync(directory)
    .filter((name) => name.endsWith(".deb"))
    .map((name) => join(directory, name));
}

/** The libraries of its own that a package needs: all but the C library, which is here. */
function dependencies(file) {
  const names = field(file, "Depends")
    .split(",")
    .map((dependency) => dependency.trim().split(/[ :]/)[0]);
  return names.filter((name) => name.startsWith("lib") && name !== "libc6");
}

function field(file, name) {
  return execFileSync("dpkg-deb", ["--field", file, name], { encoding: "utf8" }).trim();
}
