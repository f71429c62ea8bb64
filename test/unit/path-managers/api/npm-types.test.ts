import assert from "node:assert/strict";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { checkout } from "../../../../src/lab/kit/checkout.ts";
import { run } from "../../../../src/lab/kit/lab-process.ts";
import { unexportedTypes } from "./types-of-signatures.ts";

const page = readFileSync(join(checkout, "docs/path-managers.md"), "utf8");
const examples = Array.from(page.matchAll(/```ts\n([\s\S]*?)```/g), ([, code = ""]) => code);

/** A project that has installed mptcpd and, if it asks for options, valibot; and no more. */
function project(test: TestContext, { valibot }: { readonly valibot: boolean }): string {
  const directory = mkdtempSync(join(tmpdir(), "mptcpd-types-"));
  test.after(() => rmSync(directory, { recursive: true }));
  const installed = join(directory, "node_modules/mptcpd");
  mkdirSync(installed, { recursive: true });
  cpSync(join(checkout, "package.json"), join(installed, "package.json"));
  cpSync(join(checkout, "dist/types"), join(installed, "dist/types"), { recursive: true });
  if (valibot)
    cpSync(join(checkout, "node_modules/valibot"), join(directory, "node_modules/valibot"), {
      recursive: true,
    });
  writeFileSync(join(directory, "package.json"), '{ "type": "module" }');
  return directory;
}

/** What tsc says of files of a project; nothing, if they are right. */
async function compile(
  directory: string,
  resolution: string,
  files: Readonly<Record<string, string>>,
): Promise<string> {
  const module = resolution === "bundler" ? "esnext" : resolution;
  const compilerOptions = {
    ...{
      strict: true,
      exactOptionalPropertyTypes: true,
      noUncheckedIndexedAccess: true,
      skipLibCheck: false,
    },
    ...{ noEmit: true, allowImportingTsExtensions: true, target: "es2023", lib: ["es2023"] },
    ...{ module, moduleResolution: resolution },
    ...{ types: ["node"], typeRoots: [join(checkout, "node_modules/@types")] },
  };
  for (const [name, text] of Object.entries(files)) writeFileSync(join(directory, name), text);
  writeFileSync(
    join(directory, "tsconfig.json"),
    JSON.stringify({ compilerOptions, files: Object.keys(files) }),
  );
  return await run(join(checkout, "node_modules/.bin/tsc"), ["-p", directory]).catch(String);
}

const plain = `import { definePathManager, type Connection } from "mptcpd";
import { MptcpPm, type NewEndpoint } from "mptcpd/kernel";
import { bitNames } from "mptcpd/netlink";
import { simulate } from "mptcpd/testing";
export const everywhere = definePathManager({
  name: "everywhere",
  setup: (pm) => ({
    async connectionEstablished(connection: Connection) {
      for (const uplink of pm.network.uplinks) await pm.createSubflow(connection, { from: uplink });
      for (const [flag] of pm.network.addresses.map(({ flags }) => [...flags])) pm.log.info(flag ?? "none");
    },
  }),
});
export async function add(endpoint: NewEndpoint): Promise<void> {
  const pm = await MptcpPm.open();
  await pm.addEndpoint(endpoint);
}
export const flags = bitNames({ up: 0 });
export async function test(): Promise<void> {
  const simulation = await simulate(everywhere, { interfaces: { eth0: ["10.0.1.2"] } });
  await simulation[Symbol.asyncDispose]();
}
`;

describe("a project that imports mptcpd compiles under --strict, with exactOptionalPropertyTypes and checked libraries,", () => {
  for (const resolution of ["nodenext", "bundler"]) {
    it(`without valibot (${resolution})`, async (t) => {
      assert.equal(await compile(project(t, { valibot: false }), resolution, { "plain.ts": plain }), "");
    });

    it(`with valibot, for the path managers of docs/path-managers.md (${resolution})`, async (t) => {
      const files = Object.fromEntries(examples.map((code, index) => [`example-${index}.ts`, code]));
      const named = { ...files, "wifi-first.ts": examples[0] ?? assert.fail() };
      assert.equal(await compile(project(t, { valibot: true }), resolution, named), "");
    });
  }

  it("and tells a mistake", async (t) => {
    const wrong = plain.replace("pm.createSubflow(", "pm.createSubflows(");
    const said = await compile(project(t, { valibot: false }), "nodenext", { "wrong.ts": wrong });
    assert.match(said, /Property 'createSubflows' does not exist on type 'PathManager<unknown>'/);
  });
});

describe("every type that the signatures use is exported", () => {
  for (const entry of ["kernel", "index"])
    it(`by mptcpd${entry === "index" ? "" : `/${entry}`}`, () => {
      assert.deepEqual(unexportedTypes(join(checkout, "dist/types/path-managers/api", `${entry}.d.ts`)), []);
    });
});
