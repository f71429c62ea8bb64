// Makes the packages:
//   npm run package                      all kinds, for this kind of machine, into out/
//   npm run package -- --arch all        for all kinds of machines; amd64 or arm64: for one
//   npm run package -- --nodejs          those that depend on the distribution's Node instead of bringing one
//   npm run package -- --only deb        one kind: deb, rpm or npm
//   npm run package -- --output DIRECTORY
//   npm run package -- --stage DIRECTORY only what would be installed; as on Debian, and with --only rpm as on Fedora
// docs/packages.md says what they are like.
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative, resolve } from "node:path";
import { parseArgs } from "node:util";
import { buildDeb } from "./package/deb.mjs";
import { machineOf, names, thisMachine } from "./package/machines.mjs";
import { buildNpm, buildNpmNative } from "./package/npm.mjs";
import { installLine, missingForPackages } from "./package/prerequisites.mjs";
import { buildRpm } from "./package/rpm.mjs";
import { stage } from "./package/tree.mjs";
import { root, setUp } from "./setup.mjs";

// What makes a package for a kind of machine, and what makes one for all.
const builders = {
  deb: { each: buildDeb },
  rpm: { each: buildRpm },
  npm: { each: buildNpmNative, common: buildNpm },
};

/** By which of its names a kind of package calls a kind of machine. */
const nameIn = { deb: "deb", rpm: "rpm", npm: "node" };

const options = readOptions();
const kinds = chosenKinds();
try {
  const machines = chosenMachines();
  if (options.stage !== undefined) demandEmpty(options.stage);
  demandPrerequisites(machines);
  step("building the programs");
  // New files whenever anything has changed: the bundles are the same for all machines.
  setUp({ buildOptions: ["--programs-only"] });
  if (options.stage !== undefined) stageOnly(machines[0]);
  else buildAll(machines);
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

function chosenMachines() {
  if (options.arch === "all") return names.map(machineOf);
  const machine = options.arch === undefined ? thisMachine : machineOf(options.arch);
  if (machine === undefined)
    throw new Error(
      `there are no packages for this kind of machine: choose --arch ${names.join(", --arch ")}`,
    );
  return [machine];
}

/** Before anything is built: who waits for a build should not learn at its end what it lacks. */
function demandPrerequisites(machines) {
  const missing = missingForPackages({ kinds, machines });
  if (missing.length > 0)
    throw new Error(`Debian packages are missing; install them as root: ${installLine(missing)}`);
}

function stageOnly(machine) {
  const kind = options.only === "rpm" ? "rpm" : "deb";
  step(`writing what the .${kind} for ${machine[kind]} installs into ${options.stage}`);
  stage(resolve(options.stage), { machine, kind, nodejs: options.nodejs });
}

function buildAll(machines) {
  const output = resolve(options.output);
  mkdirSync(output, { recursive: true });
  for (const kind of kinds) {
    const { each, common } = builders[kind];
    if (common) {
      step(`making the package of ${kind}`);
      build(common, { output });
    }
    for (const machine of machines) {
      step(
        `making the ${kind === "npm" ? "native package of npm" : `.${kind}`} for ${machine[nameIn[kind]]}`,
      );
      build(each, { output, machine, nodejs: options.nodejs });
    }
  }
}

/** A line for each step: some take half a minute. */
function step(text) {
  console.log(`${text} …`);
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
  const fromHere = relative(process.cwd(), path);
  const name = fromHere.startsWith("..") ? path : fromHere;
  console.log(`${name}: ${mib(statSync(path).size)}, installed ${mib(installed)}`);
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
    oneOf("--arch", values.arch, values.stage === undefined ? [...names, "all"] : names);
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
