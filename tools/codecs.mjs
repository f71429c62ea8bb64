// Makes straight-line codecs of the schemas of netlink messages: the files codecs.ts beside them.
//   node tools/codecs.mjs
// The build does the same (tools/build.mjs). The files are kept in git, so that editors and readers have them; a unit
// test compares them with the schemas.
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { buildSync } from "esbuild";
import { Source } from "./codecs/source.mjs";

const root = dirname(import.meta.dirname);

/** The directories with schemas: the modules that declare them, and where the names of bits are. */
const directories = [
  { path: "src/kernel/netlink", schemas: ["messages"], netlink: "." },
  {
    path: "src/kernel/messages",
    schemas: ["rtnetlink", "mptcp-pm", "sock-diag"],
    flags: "flags",
    netlink: "../netlink",
  },
];

/** Writes the files that are not as the schemas say. With CI=true that is an error. */
export async function writeCodecs() {
  for (const { file, text } of await makeCodecs()) {
    if (existsSync(file) && readFileSync(file, "utf8") === text) continue;
    if (process.env.CI === "true") throw new Error(`${file} is out of date: run \`node tools/codecs.mjs\``);
    writeFileSync(file, text);
  }
}

/** Gives each file and its text. */
export async function makeCodecs() {
  const made = [];
  for (const directory of directories) {
    const modules = await load(directory);
    const source = new Source({ flags: modules[directory.flags] ?? {}, netlink: directory.netlink });
    for (const name of directory.schemas) source.add(name, modules[name]);
    const file = join(root, directory.path, "codecs.ts");
    made.push({ file, text: formatted(source.text(), file) });
  }
  return made;
}

/** The modules of a directory in one bundle, so that they speak of the same flags. */
async function load({ path, schemas, flags }) {
  const names = flags === undefined ? schemas : [...schemas, flags];
  const contents = names.map((name, index) => `export * as m${index} from "./${name}.ts";`).join("\n");
  const { outputFiles } = buildSync({
    stdin: { contents, resolveDir: join(root, path), loader: "ts" },
    bundle: true,
    write: false,
    format: "esm",
    platform: "node",
  });
  const code = Buffer.from(outputFiles[0].contents).toString("base64");
  const bundle = await import(`data:text/javascript;base64,${code}`);
  return Object.fromEntries(names.map((name, index) => [name, bundle[`m${index}`]]));
}

function formatted(text, file) {
  const biome = join(root, "node_modules/.bin/biome");
  return execFileSync(biome, ["check", "--write", `--stdin-file-path=${file}`], {
    cwd: root,
    input: text,
    encoding: "utf8",
  });
}

if (process.argv[1] === import.meta.filename) await writeCodecs();
