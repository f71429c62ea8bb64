// What a test file depends on, by its text.
import { readFileSync } from "node:fs";
import { join } from "node:path";

/** Code that differs from one version of Node to the next: a test that has to do with it runs on every supported one. */
const interfacesOfNode = [
  // Threads, the streams between them, the loader of modules, programs and their pipes.
  /path[ -]managers?\b|load-plugins|plugin-dir|puppet|worker_threads/i,
  // The addon and the sockets in the test's own process.
  /from "(\.\.\/)+src\/(kernel|netlink|plugins|library|connections|services|report|lab)\//,
  // Signals, and how the service ends.
  /\bSIG(?!KILL\b)[A-Z]{3,}\b/,
  // Standard streams that are closed, full or terminals.
  /\bEPIPE\b|\/dev\/full|\bstdin\b|\bpty\b/,
];

/** Files below test/kernel and test/system that have to do with Node itself, and all unit tests, which are quick. */
export function dependsOnNode(file, { root }) {
  if (file.includes("/unit/")) return true;
  const text = textOf(file, root);
  return interfacesOfNode.some((pattern) => pattern.test(text));
}

/** A test file that measures time or memory, so that nothing may run beside it. */
export function measuresTime(file, { root }) {
  const clocks = /\bperformance\.now\b|\bhrtime\b|\bcpuUsage\b|\bmemoryUsage\b|\bresourceUsage\b/;
  return clocks.test(textOf(file, root));
}

function textOf(file, root) {
  return readFileSync(join(root, file), "utf8");
}
