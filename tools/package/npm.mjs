// The packages of npm: one for all machines, and one for each kind of machine with what is compiled, which npm picks by
// `os`, `cpu` and `libc`. Nothing runs when they are installed.
import { execFileSync } from "node:child_process";
import { chmodSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { licenses, manifest, version } from "./documents.mjs";
import { put, root, settle, sizeOf } from "./files.mjs";
import { machineOf, names } from "./machines.mjs";
import { putPages } from "./pages.mjs";
import { putBundles, putNative, putStarter } from "./programs.mjs";

/** Writes the package that all machines have into a directory; its path and the bytes that it installs. */
export function buildNpm({ output, work }) {
  const directory = join(work, "package");
  putBundles(join(directory, "dist"), (name) => name !== launched);
  for (const name of ["mptcpd", "mptcpctl"]) putStarter(name, join(directory, "bin", name));
  put(join(directory, "bin/mptcpize"), readFileSync(join(root, "packaging/npm/mptcpize")), 0o755);
  putPages(directory);
  const { devDependencies, dependencies, scripts, private: _, ...published } = manifest;
  const natives = names.map((name) => [nativeName(machineOf(name)), version]);
  return pack(directory, output, {
    ...published,
    optionalDependencies: Object.fromEntries(natives),
    // Only its types are needed, and only by who checks the types of a path manager with options.
    peerDependencies: { valibot: `^${dependencies.valibot}` },
    peerDependenciesMeta: { valibot: { optional: true } },
  });
}

/** The package of one kind of machine. */
export function buildNpmNative({ machine, output, work }) {
  const directory = join(work, "package");
  putNative("addon.node", join(directory, "addon.node"), machine);
  putNative("libmptcpwrap.so", join(directory, "libmptcpwrap.so"), machine);
  putNative("mptcpize", join(directory, "mptcpize"), machine);
  // The launcher has it and the library beside it.
  putBundles(directory, (name) => name === launched);
  const name = nativeName(machine);
  const description = `The native parts of mptcpd for ${machine.node}`;
  put(join(directory, "README.md"), `# ${name}\n\n${description}, which the package \`mptcpd\` asks for.\n`);
  return pack(directory, output, {
    name,
    version,
    description,
    license: manifest.license,
    type: "commonjs",
    os: ["linux"],
    cpu: [machine.node],
    libc: ["glibc"],
  });
}

/** What the launcher starts for all that is not `run`. */
const launched = "mptcpize.js";

function nativeName(machine) {
  return `mptcpd-linux-${machine.node}`;
}

function pack(directory, output, content) {
  put(join(directory, "package.json"), `${JSON.stringify(content, null, 2)}\n`);
  put(join(directory, "LICENSE"), licenses());
  settle(directory);
  const options = ["--json", "--ignore-scripts", "--pack-destination", output];
  const told = execFileSync("npm", ["pack", ...options], { cwd: directory, encoding: "utf8" });
  const [{ filename }] = JSON.parse(told);
  chmodSync(join(output, filename), 0o644);
  return { path: join(output, filename), installed: sizeOf(directory) };
}
