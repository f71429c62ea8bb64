// Whether what tools/build.mjs makes is there and up to date: a build that changes nothing takes several seconds.
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

// setup.mjs imports this on old versions of Node, too.
const root = dirname(dirname(fileURLToPath(import.meta.url)));
/** Written at the end of a whole build; it has the options of that in it. */
const stamp = join(root, "build/built");
const sources = ["src", "native", "test", "bench", "tools", "package-lock.json"];

export function isBuilt(options) {
  if (!existsSync(stamp) || !existsSync(join(root, "dist/mptcpd.js"))) return false;
  const has = readFileSync(stamp, "utf8").split(" ");
  const { mtimeMs } = statSync(stamp);
  return options.every((option) => has.includes(option)) && newest(paths()) < mtimeMs;
}

export function markBuilt(options) {
  writeFileSync(stamp, options.join(" "));
}

/** A directory changes with the names in it: what was removed counts, too. */
function paths() {
  const configurations = readdirSync(root).filter((name) => /^tsconfig.*\.json$/.test(name));
  const below = sources.flatMap((source) =>
    statSync(join(root, source)).isDirectory()
      ? readdirSync(join(root, source), { recursive: true }).map((name) => join(source, name))
      : [],
  );
  return [...sources, ...configurations, ...below];
}

function newest(names) {
  return Math.max(
    ...names.map((name) => statSync(join(root, name), { throwIfNoEntry: false })?.mtimeMs ?? 0),
  );
}
