// Who holds the rights to what is in a package, and what has changed.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { root, walk } from "./files.mjs";
import { machineOf } from "./machines.mjs";
import { nodeRuntime, nodeVersion } from "./node-runtime.mjs";

/** package.json. */
export const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));

export const { version } = manifest;

/**
 * A placeholder: nobody reads mail at this address (RFC 2606, section 2). Whoever publishes packages puts in theirs.
 */
export const maintainer = "mptcpd maintainers <maintainers@mptcpd.invalid>";

/** The oldest Node that the programs run on. */
export const oldestNode = manifest.engines.node.replace(">=", "");

/** Our licence, and those of what the bundles are made of. */
export function licenses() {
  const parts = bundledModules().map(
    (name) => `The programs contain parts of ${name}:\n\n${licenseOf(join(root, "node_modules", name))}`,
  );
  return [`mptcpd:\n\n${read(join(root, "LICENSE"))}`, ...parts].join(`\n${"-".repeat(72)}\n\n`);
}

/** The same on every machine. */
export function licenseOfNode() {
  const { license } = nodeRuntime(machineOf("amd64"));
  return `Node.js ${nodeVersion}, from https://nodejs.org:\n\n${read(license)}`;
}

/** esbuild says before each file where it comes from. */
function bundledModules() {
  const directory = join(root, "dist");
  const bundles = walk(directory).filter((name) => name.endsWith(".js"));
  const found = bundles.flatMap((name) => [
    ...read(join(directory, name)).matchAll(/^\/\/ node_modules\/((?:@[^/\n]+\/)?[^/\n]+)\//gm),
  ]);
  return [...new Set(found.map(([, name]) => name))].sort();
}

function licenseOf(directory) {
  const file = readdirSync(directory).find((name) => /^licen[cs]e/i.test(name));
  if (file === undefined) throw new Error(`${directory} has no licence: see what may be shipped`);
  return read(join(directory, file));
}

function read(path) {
  if (!existsSync(path)) throw new Error(`${path} is missing`);
  return readFileSync(path, "utf8").replaceAll("\r\n", "\n");
}
