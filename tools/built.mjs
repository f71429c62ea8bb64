// Whether what tools/build.mjs makes is there and up to date: a build that changes nothing takes several seconds.
import { existsSync, readdirSync, readFileSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

// setup.mjs imports this on old versions of Node, too.
const checkout = dirname(dirname(fileURLToPath(import.meta.url)));
/** Written at the end of a whole build; it has the options of that in it. */
const stampOf = (root) => join(root, "build/built");
const sources = ["src", "docs", "native", "test", "bench", "tools", "package-lock.json"];

export function isBuilt(options, root = checkout) {
  const stamp = stampOf(root);
  if (!existsSync(stamp) || !existsSync(join(root, "dist/mptcpd.js"))) return false;
  const has = readFileSync(stamp, "utf8").split(" ");
  const { mtimeMs } = statSync(stamp);
  // A whole build has the programs.
  const isThere = (option) => option === "--programs-only" || has.includes(option);
  return options.every(isThere) && newest(pathsOf(root)) < mtimeMs;
}

/** `begun` is when the build began: what was changed since may not be in it. */
export function markBuilt(options, begun, root = checkout) {
  writeFileSync(stampOf(root), options.join(" "));
  utimesSync(stampOf(root), begun, begun);
}

/** A directory changes with the names in it: what was removed counts, too. */
function pathsOf(root) {
  const configurations = readdirSync(root).filter((name) => /^tsconfig.*\.json$/.test(name));
  const below = sources.flatMap((source) =>
    statSync(join(root, source), { throwIfNoEntry: false })?.isDirectory()
      ? readdirSync(join(root, source), { recursive: true }).map((name) => join(source, name))
      : [],
  );
  return [...sources, ...configurations, ...below].map((name) => join(root, name));
}

function newest(paths) {
  return Math.max(...paths.map((path) => statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0));
}
