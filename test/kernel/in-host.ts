import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { checkout } from "../../src/lab/kit/checkout.ts";
import type { Host } from "../../src/lab/kit/host.ts";

/**
 * Runs code of src/ in a host, which this process is not in, and gives what it says. `body` is a module's text: it
 * may await, uses what `imports` names, and calls `say` with something of JSON; bigints become text.
 *
 * @param imports a module of src/ ("kernel/sockets") for each name that is imported from it
 */
export async function inHost(
  host: Host,
  imports: Readonly<Record<string, string>>,
  body: string,
): Promise<unknown> {
  const lines = Object.entries(imports).map(
    ([name, module]) => `import { ${name} } from ${JSON.stringify(sourceUrl(module))};`,
  );
  const say = `const say = (value) => console.log(JSON.stringify(value, (_, v) => typeof v === "bigint" ? String(v) : v));`;
  const source = [...lines, say, body].join("\n");
  const { MPTCPD_ADDON: addon = join(checkout, "dist/addon.node") } = process.env;
  return JSON.parse(
    await host.run("env", `MPTCPD_ADDON=${addon}`, process.execPath, "--input-type=module", "--eval", source),
  );
}

/** Where a module of src/ is, for other processes to import it. */
export function sourceUrl(module: string): string {
  return pathToFileURL(join(import.meta.dirname, `../../src/${module}.js`)).href;
}
