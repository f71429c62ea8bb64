// Bundles the programs and the library of path managers into dist/. Programs are CommonJS: Node's loader of ES modules
// takes longer to start than most commands of mptcpctl take to run.
import { mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, join } from "node:path";
import { build, transform } from "esbuild";

// Programs that are one file each, and what is.
const whole = {
  mptcpize: "src/programs/mptcpize/main.ts",
  tour: "src/lab/tour/main.ts",
  lab: "src/lab/playground/main.ts",
  "plugin-hooks": "src/path-managers/runtime/module-hooks.ts",
};

// What path managers and their tests import, and what has to be no copy of the programs' own.
const modules = {
  "lib/typescript": "src/path-managers/api/typescript.ts",
  "lib/typescript-hooks": "src/path-managers/api/typescript-hooks.ts",
  "lib/valibot": "src/path-managers/api/valibot.ts",
};

// A package that most runs do without.
const seldom = "sucrase";

// What they do seldom, or in one of their commands, has a file of its own.
const parted = { mptcpd: "src/programs/mptcpd/main.ts", mptcpctl: "src/programs/mptcpctl/main.ts" };

/** As mptcpctl imports it; it runs path managers. */
const replay = "./commands/replay.ts";

// Who runs path managers and what these import have one copy of everything, so that they speak of the same classes.
const pathManagers = {
  "plugin-thread": "src/programs/mptcpd/plugin-thread.ts",
  replay: "src/programs/mptcpctl/commands/replay.ts",
  library: "src/path-managers/api/library.ts",
  simulation: "src/path-managers/api/testing.ts",
};

/** What modules import the parts of the library as, by file in dist/lib: the bundle, and the part of it if not all. */
const faces = {
  index: { bundle: "library", part: "mptcpd" },
  netlink: { bundle: "library", part: "netlink" },
  kernel: { bundle: "library", part: "kernel" },
  testing: { bundle: "simulation" },
};

/** The oldest Node that is supported. */
const target = "node20.19";

/** What Node itself has loaded when our code begins. Everything else that is not ours is loaded when it is used. */
const atHand = ["events", "fs", "module", "path", "url", "util"].map((name) => `node:${name}`);

/**
 * Writes all of them.
 * @throws what esbuild has already told on standard error
 */
export async function bundleAll(root) {
  const dist = join(root, "dist");
  mkdirSync(join(dist, "lib"), { recursive: true });
  // Next to a package.json of its own, Node looks no further for what kind of modules these are.
  writeFileSync(join(dist, "package.json"), '{ "type": "commonjs" }\n');
  writeFileSync(join(dist, "lib/package.json"), '{ "type": "module" }\n');
  const bundles = await Promise.all([
    bundle(root, { entryPoints: whole, external: [seldom] }),
    ...Object.entries(parted).map(([name, main]) =>
      bundle(root, { entryPoints: { [name]: main }, splitting: true, external: [seldom, replay] }),
    ),
    bundle(root, { entryPoints: pathManagers, splitting: true, external: [seldom] }),
    bundle(root, { entryPoints: [seldom], format: "cjs" }),
    bundleModules(root),
  ]);
  const names = Object.entries(faces).map(([name, face]) => writeFace(dist, name, face));
  removeOthers(dist, new Set([...bundles.flat(), ...names]));
}

/** What runs meanwhile never misses a file: those of earlier builds go when the others are there. */
function removeOthers(dist, written) {
  for (const directory of [dist, join(dist, "lib")])
    for (const name of readdirSync(directory)) {
      const path = join(directory, name);
      if (/\.js(\.map)?$/.test(name) && !written.has(path)) rmSync(path);
    }
}

const common = { outdir: "dist", bundle: true, platform: "node", format: "esm", target, logLevel: "warning" };

/** Gives the files that it has written, as `bundle` does. */
async function bundleModules(root) {
  const options = { entryPoints: modules, splitting: true, chunkNames: "lib/shared-[hash]", sourcemap: true };
  const { metafile } = await build({ ...common, absWorkingDir: root, metafile: true, ...options });
  return Object.keys(metafile.outputs).map((name) => join(root, name));
}

/** esbuild shares parts between bundles of ES modules only: these are made CommonJS afterwards. */
async function bundle(root, options) {
  const { outputFiles } = await build({
    ...common,
    absWorkingDir: root,
    sourcemap: "inline",
    write: false,
    chunkNames: "[name]-[hash]",
    define: {
      "import.meta.dirname": "__dirname",
      "import.meta.filename": "__filename",
      // createRequire() takes a path as well.
      "import.meta.url": "__filename",
    },
    ...options,
  });
  const written = await Promise.all(outputFiles.map(({ path, text }) => writeCommonJs(path, text)));
  return written.flat();
}

async function writeCommonJs(path, text) {
  const options = {
    format: "cjs",
    platform: "node",
    target,
    sourcemap: "external",
    sourcefile: path,
    minifyWhitespace: true,
    lineLimit: 160,
  };
  const { code, map } = await transform(text, options);
  writeFileSync(path, `${loadingLate(code)}\n//# sourceMappingURL=${basename(path)}.map\n`);
  writeFileSync(`${path}.map`, map);
  return [path, `${path}.map`];
}

function loadingLate(code) {
  const late = (name) => `__late("${name === seldom ? `./${seldom}.js` : name}")`;
  const changed = code
    // Everything that has no path is Node's, or that package.
    .replace(/=(?:\(0,\s*\w+\.__require\)|(?:__)?require)\("([\w:/]+)"\)(?=[,;])/g, (all, name) =>
      atHand.includes(name) ? all : `=${late(name)}`,
    )
    .replaceAll(`import("${replay}")`, 'import("./replay.js")')
    // Through Node's loader of ES modules it would take ten times as long.
    .replace(/\bimport\("(\.\/[\w-]+\.js)"\)/g, 'Promise.resolve(require("$1"))');
  // In the first line, so that it shifts no other. ES modules are strict by themselves.
  return `"use strict"; ${changed === code ? "" : lateModule}${changed}`;
}

/** Stands for a module until something of it is used. */
const lateModule =
  "const __late = (id) => { let it; return new Proxy({}, { get: (_, name) => (it ??= require(id))[name] }); }; ";

/** Modules of its own, though what they give is not: of a name that is missing, Node says more than of CommonJS. */
function writeFace(dist, name, { bundle, part }) {
  const module = createRequire(import.meta.url)(join(dist, `${bundle}.js`));
  const names = Object.keys(part === undefined ? module : module[part]);
  const lines = [
    `import bundle from "../${bundle}.js";`,
    `export const { ${names.join(", ")} } = bundle${part === undefined ? "" : `.${part}`};`,
  ];
  const path = join(dist, "lib", `${name}.js`);
  writeFileSync(path, `${lines.join("\n")}\n`);
  return path;
}
