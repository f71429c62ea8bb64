import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Closer, Lab } from "../../src/lab/kit/lab.ts";
import { type Ending, Machine, type Patience } from "./machine.ts";

/** A plugin directory of a lab with these files, and what a configuration says of it. */
export class PluginDirectory {
  readonly path: string;

  constructor(lab: Lab, files: Readonly<Record<string, string>> = {}) {
    this.path = lab.freshPath("plugins");
    mkdirSync(this.path);
    // Whatever the umask is.
    chmodSync(this.path, 0o755);
    for (const [name, text] of Object.entries(files)) this.write(name, text);
  }

  /** Writes a file, or another text into it; gives its path. */
  write(name: string, text: string, mode = 0o644): string {
    const path = join(this.path, name);
    writeFileSync(path, text);
    chmodSync(path, mode);
    return path;
  }

  /** The same in a directory of it. */
  writeIn(directory: string, name: string, text: string): string {
    mkdirSync(join(this.path, directory), { recursive: true });
    return this.write(join(directory, name), text);
  }

  /** A configuration with this directory: lines of [core], and sections after them. */
  config(core = "", sections = ""): string {
    return `[core]\nremoval-delay=0\nplugin-dir=${this.path}\n${core}\n${sections}\n`;
  }
}

/** The text of a module whose path manager has this name and these handlers, or whatever else `setup` is made of. */
export function plugin(name: string, handlers: string, more = ""): string {
  return `import { definePathManager } from "mptcpd";
export default definePathManager({
  name: ${JSON.stringify(name)},
  ${more}
  setup: (pm) => ({ ${handlers} }),
});
`;
}

/** A plugin that says when it is set up, and when it is told of a listener. */
export function sayer(name: string, more = ""): string {
  return `import { definePathManager } from "mptcpd";
    export default definePathManager({
      name: "${name}",
      ${more}
      setup(pm) {
        pm.log.notice("set up");
        return { listenerClosed: () => pm.log.notice("told") };
      },
    });`;
}

/** A machine with one address, and a plugin directory in it. */
export async function withPlugins(
  t: Closer,
  files: Readonly<Record<string, string>>,
): Promise<{ machine: Machine; plugins: PluginDirectory }> {
  const machine = await Machine.create(t);
  return { machine, plugins: new PluginDirectory(machine.lab, files) };
}

/** Runs `mptcpd --check`. */
export function check(machine: Machine, config: string, patience: Patience = {}): Promise<Ending> {
  return machine.runToEnd({ config, args: ["--check"], ...patience });
}
