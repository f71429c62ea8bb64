import { existsSync } from "node:fs";
import { dirname, join } from "node:path";

/**
 * The directory of node_api.h: where npm's nodedir says, beside the running Node, or where Debian's libnode-dev puts
 * it; undefined if there is none. uv.h lies beside it, except in Debian.
 */
export function nodeHeaders() {
  const prefixes = [process.env.npm_config_nodedir, dirname(dirname(process.execPath)), "/usr", "/usr/local"];
  const directories = prefixes.filter(Boolean).map((prefix) => join(prefix, "include/node"));
  return directories.find((directory) => existsSync(join(directory, "node_api.h")) && hasUv(directory));
}

function hasUv(directory) {
  return [directory, "/usr/include"].some((place) => existsSync(join(place, "uv.h")));
}
