// Makes the completions of the programs for bash, zsh and fish:
//   node tools/completions.mjs DIRECTORY      writes bash/mptcpctl, zsh/_mptcpctl, fish/mptcpctl.fish … into it
// The programs' own tables (src/programs/completions) go into the shells' code (packaging/completions).
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { buildSync } from "esbuild";

const root = dirname(import.meta.dirname);
const [directory, ...more] = process.argv.slice(2);
if (directory === undefined || directory === "" || directory.startsWith("-") || more.length > 0) {
  console.error("completions: usage: node tools/completions.mjs DIRECTORY");
  process.exit(64);
}

const { completionFiles } = await load("src/programs/completions/completion-files.ts");
const sourceOf = (name) => readFileSync(join(root, "packaging/completions", name), "utf8");
for (const { path, text } of completionFiles(sourceOf)) {
  mkdirSync(join(directory, dirname(path)), { recursive: true });
  writeFileSync(join(directory, path), text);
}

/** The sources are TypeScript: they are bundled to be imported. */
async function load(entry) {
  const scratch = mkdtempSync(join(tmpdir(), "mptcpd-completions-"));
  const outfile = join(scratch, "bundle.mjs");
  try {
    buildSync({
      ...{ absWorkingDir: root, entryPoints: [entry], outfile, bundle: true },
      ...{ platform: "node", format: "esm", target: "node20.19", logLevel: "warning" },
      // Bundled CommonJS (commander) calls require for Node's own modules.
      banner: {
        js: 'import { createRequire as __createRequire } from "node:module"; const require = __createRequire(import.meta.url);',
      },
    });
    return await import(pathToFileURL(outfile).href);
  } finally {
    rmSync(scratch, { recursive: true });
  }
}
