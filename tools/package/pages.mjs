// The pages of README.md and docs/, for /usr/share/doc and the package of npm.
import { existsSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { isFile, put, root, walk } from "./files.mjs";

/** Writes them as they lie in the sources, so that their links lead to each other. */
export function putPages(directory) {
  const docs = walk(join(root, "docs")).map((name) => join("docs", name));
  const names = ["README.md", "CHANGELOG.md", ...docs].filter((name) => isFile(join(root, name)));
  for (const name of names) {
    const text = readFileSync(join(root, name), "utf8");
    put(join(directory, name), name.endsWith(".md") ? withoutSources(name, text, names) : text);
  }
}

/** Of links to what only the sources have, the words stay. */
function withoutSources(name, text, names) {
  return text.replace(/\[([^\]]*)\]\(([^)\s#]+)(?:#[^)\s]*)?\)/g, (whole, words, target) => {
    const path = normalize(join(dirname(name), target));
    return existsSync(join(root, path)) && !names.includes(path) ? words : whole;
  });
}
