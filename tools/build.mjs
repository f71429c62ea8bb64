// Builds everything that the programs and the tests need:
//   dist/addon.node          the native addon
//   dist/mptcpize            the launcher
//   dist/libmptcpwrap.so     what the launcher loads into other programs
//   dist/asan/               the same three under AddressSanitizer (--asan)
//   dist/mptcpd.js, …        each program, bundled (tools/bundles.mjs)
//   dist/plugin-thread.js    the thread of the path managers, and dist/plugin-hooks.js, how their modules are loaded
//   dist/lib/, dist/types/   the library that they import as "mptcpd", and its types, with those of valibot
//   build/                   src, test and bench type-checked and compiled file by file, for the tests
import { execFileSync } from "node:child_process";
import {
  copyFileSync,
  existsSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { parseArgs } from "node:util";
import { markBuilt } from "./built.mjs";
import { bundleAll } from "./bundles.mjs";
import { writeCodecs } from "./codecs.mjs";
import { compileNative, natives, sourcesOf } from "./natives.mjs";

const root = dirname(import.meta.dirname);
const begun = new Date();
const { values: options } = parseArgs({
  options: {
    asan: { type: "boolean", default: false },
    "programs-only": { type: "boolean", default: false },
  },
});

const asanFlags = ["-fsanitize=address", "-fno-omit-frame-pointer", "-g", "-O1"];

for (const native of natives) {
  buildNative(native, join(root, "dist", native.output), native.plainFlags ?? []);
  if (options.asan) buildNative(native, join(root, "dist/asan", native.output), asanFlags);
}
await makeCodecs();
await bundle();
declareTypes();
if (!options["programs-only"]) {
  compile();
  markBuilt(options.asan ? ["--asan"] : [], begun);
}

function buildNative(native, output, flags) {
  const isOlder = (path) => statSync(join(root, path)).mtimeMs < statSync(output).mtimeMs;
  if (existsSync(output) && sourcesOf(native).every(isOlder)) return;
  try {
    compileNative(native, output, { flags });
  } catch (error) {
    fail(error.message);
  }
}

async function makeCodecs() {
  try {
    await writeCodecs();
  } catch (error) {
    fail(error.message);
  }
}

async function bundle() {
  try {
    await bundleAll(root);
  } catch (error) {
    // esbuild has said what and where.
    if (!("errors" in error)) throw error;
    process.exit(1);
  }
}

function declareTypes() {
  rmSync(join(root, "dist/types"), { recursive: true, force: true });
  run(join(root, "node_modules/.bin/tsc"), ["-p", join(root, "tsconfig.types.json")]);
  // As the modules are that they describe.
  writeFileSync(join(root, "dist/types/package.json"), '{ "type": "module" }\n');
  bundleTypes("valibot", "dist/index.d.mts");
}

// Who imports "mptcpd" need not install what it is made of: the types that ours refer to come with them.
function bundleTypes(dependency, file) {
  const types = join(root, "dist/types");
  const bundled = join(types, `${dependency}.d.ts`);
  copyFileSync(join(root, "node_modules", dependency, file), bundled);
  for (const name of readdirSync(types, { recursive: true })) {
    const path = join(types, name);
    if (!name.endsWith(".d.ts") || path === bundled) continue;
    const depth = name.split("/").length - 1;
    const own = `${"../".repeat(depth) || "./"}${dependency}.js`;
    const text = readFileSync(path, "utf8");
    const changed = text.replace(/^((?:import|export) .* from) "([^"]+)"/gm, (all, before, from) =>
      from === dependency ? `${before} "${own}"` : all,
    );
    if (changed !== text) writeFileSync(path, changed);
  }
}

function compile() {
  rmSync(join(root, "build"), { recursive: true, force: true });
  run(join(root, "node_modules/.bin/tsc"), ["-p", root]);
}

function run(command, args) {
  try {
    execFileSync(command, args, { cwd: root, stdio: "inherit" });
  } catch {
    fail(`${command} failed`);
  }
}

function fail(message) {
  console.error(`build: ${message}`);
  process.exit(1);
}
