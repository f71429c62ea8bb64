// Makes the packages:
//   npm run package                      all of them, for all machines, into out/
//   npm run package -- --nodejs          those that depend on the distribution's Node instead of bringing one
//   npm run package -- --only deb        one kind: deb, rpm or npm
//   npm run package -- --arch arm64      for one kind of machine: amd64 or arm64
//   npm run package -- --output DIRECTORY
//   npm run package -- --stage DIRECTORY only what would be installed; as on Debian, and with --only rpm as on Fedora
// docs/packages.md says what they are like.
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { buildDeb } from "./package/deb.mjs";
import { machineOf, names, thisMachine } from "./package/machines.mjs";
import { buildNpm, buildNpmNative } from "./package/npm.mjs";
import { buildRpm } from "./package/rpm.mjs";
import { stage } from "./package/tree.mjs";
import { root, setUp } from "./setup.mjs";

// What makes a package for a kind of machine, and what makes one for all.
const builders = {
  deb: { each: buildDeb },
  rpm: { each: buildRpm },
  npm: { each: buildNpmNative, common: buildNpm },
};

const options = readOptions();
const kinds = chosenKinds();
try {
  if (options.stage !== undefined) demandEmpty(options.stage);
  // New files whenever anything has changed: the bundles are the same for all machines.
  setUp({ buildOptions: ["--programs-only"] });
  if (options.stage !== undefined) stageOnly();
  else buildAll();
} catch (error) {
  fail(error.message);
}

/** npm's have no Node in any case. */
function chosenKinds() {
  if (options.only !== undefined) return [options.only];
  return Object.keys(builders).filter((kind) => kind !== "npm" || !options.nodejs);
}

/** A directory that is there may be anything, such as a root of somebody's. */
function demandEmpty(directory) {
  if (existsSync(directory) && readdirSync(directory).length > 0)
    throw new Error(
      `--stage=${directory}: the directory is not empty; name one that is, or that is not there`,
    );
}

function stageOnly() {
  const machine = options.arch === undefined ? thisMachine : machineOf(options.arch);
  if (machine === undefined)
    throw new Error(`there are no packages for this machine: --arch ${names.join(" or ")}`);
  const kind = options.only === "rpm" ? "rpm" : "deb";
  stage(resolve(options.stage), { machine, kind, nodejs: options.nodejs });
}

function buildAll() {
  const output = resolve(options.output);
  mkdirSync(output, { recursive: true });
  const machines = (options.arch === undefined ? names : [options.arch]).map(machineOf);
  for (const kind of kinds) {
    const { each, common } = builders[kind];
    if (common) build(common, { output });
    for (const machine of machines) build(each, { output, machine, nodejs: options.nodejs });
  }
}

function build(builder, settings) {
  const work = mkdtempSync(join(tmpdir(), "mptcpd-package-"));
  try {
    report(builder({ ...settings, work }));
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

function report({ path, installed }) {
  const mib = (bytes) => `${(bytes / 1024 / 1024).toFixed(1)} MiB`;
  console.log(`${basename(path)}: ${mib(statSync(path).size)}, installed ${mib(installed)}`);
}

function readOptions() {
  try {
    const { values } = parseArgs({
      options: {
        stage: { type: "string" },
        output: { type: "string", default: join(root, "out") },
        only: { type: "string" },
        arch: { type: "string" },
        nodejs: { type: "boolean", default: false },
      },
    });
    oneOf("--only", values.only, Object.keys(builders));
    oneOf("--arch", values.arch, names);
    if (values.stage === "") throw new Error("--stage needs a directory");
    return values;
  } catch (error) {
    return fail(error.message, 64);
  }
}

function oneOf(option, value, allowed) {
  if (value !== undefined && !allowed.includes(value))
    throw new Error(`${option}=${value}: allowed are ${allowed.join(", ")}`);
}

function fail(message, status = 1) {
  console.error(`package: ${message}`);
  process.exit(status);
}
