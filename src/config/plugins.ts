import { readdirSync, statSync } from "node:fs";
import { type Config, defaultPluginDirectory } from "./config.ts";
import { all } from "./words.ts";

/**
 * What of plugin-dir, path-manager and load-plugins does not do what it did with the C mptcpd, and what to do
 * about it. Hosts that migrate have all three, so none of it is an error. Looks at the plugin directory.
 */
export function pluginWarnings(config: Config): string[] {
  return [...pathManagerWarnings(config), ...directoryWarnings(config)];
}

const builtIn = ["addr_adv", "sspi"];

function pathManagerWarnings({ pathManager, loadPlugins }: Config): string[] {
  const warnings: string[] = [];
  if (pathManager !== undefined && !builtIn.includes(pathManager)) {
    warnings.push(`path-manager=${pathManager} is unknown and has no effect: known are ${all(builtIn)}`);
  }
  if (pathManager === "sspi" || loadPlugins?.includes("sspi")) {
    warnings.push("sspi has no effect: this version does not host path managers of single connections");
  }
  const unknown = (loadPlugins ?? []).filter((name) => !builtIn.includes(name));
  if (unknown.length > 0) {
    warnings.push(`load-plugins: ${all(unknown)} cannot be loaded: this version knows ${all(builtIn)} only`);
  }
  if (loadPlugins !== undefined && !loadPlugins.includes("addr_adv")) {
    warnings.push("load-plugins leaves out addr_adv, but this version makes endpoints all the same");
  }
  return warnings;
}

function directoryWarnings({ pluginDirectory: directory }: Config): string[] {
  try {
    const status = statSync(directory);
    if (!status.isDirectory()) {
      return [`plugin-dir=${directory} is not a directory; correct plugin-dir or leave it out`];
    }
    const warnings: string[] = [];
    if ((status.mode & 0o002) !== 0) {
      warnings.push(
        `everybody may write to plugin-dir=${directory}; take that away with: chmod o-w ${directory}`,
      );
    }
    const modules = readdirSync(directory).filter((name) => name.endsWith(".so"));
    if (modules.length > 0) {
      const names = all(modules.toSorted());
      warnings.push(
        `plugins of the C mptcpd are not loaded: ${names} in ${directory}; addr_adv is built in; ` +
          "remove the files, or the package that they are from, when nothing else needs them",
      );
    }
    return warnings;
  } catch (error) {
    const missing = error instanceof Error && "code" in error && error.code === "ENOENT";
    // Nobody asked for the default directory, and nothing need be in it.
    if (missing && directory === defaultPluginDirectory) return [];
    const what = missing
      ? "does not exist"
      : `cannot be read (${error instanceof Error ? error.message : error})`;
    return [`plugin-dir=${directory} ${what}; correct plugin-dir or leave it out: addr_adv needs none`];
  }
}
