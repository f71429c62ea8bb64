// What a test file depends on, by its text.
import { readFileSync } from "node:fs";
import { join } from "node:path";

/** Code that differs from one version of Node to the next: a test that has to do with it runs on every supported one. */
const interfacesOfNode = [
  // Threads, the streams between them, the loader of modules, programs and their pipes.
  /path[ -]managers?\b|load-plugins|plugin-dir|puppet|worker_threads/i,
  // The addon and the sockets in the test's own process.
  /from "(\.\.\/)+src\/(kernel|netlink|plugins|library)\//,
  // Signals, and how the service ends.
  /\bSIG(HUP|TERM|INT|PIPE)\b/,
  // Standard streams that are closed, full or terminals.
  /\bEPIPE\b|\/dev\/full|\bpty\b/,
];

/** Files below test/kernel and test/system that have to do with Node itself, and all unit tests, which are quick. */
export function dependsOnNode(file, { root }) {
  if (file.includes("/unit/")) return true;
  const text = textOf(file, root);
  return interfacesOfNode.some((pattern) => pattern.test(text));
}

const needsTheMachine = [
  // It measures time or memory.
  /\bperformance\.now\b|\bhrtime\b|\bcpuUsage\b|\bmemoryUsage\b|\bresourceUsage\b/,
  // It fills a buffer of the kernel faster than mptcpd reads.
  /\bdropped (events|notifications)\b/,
  // It takes every supervisor that there is for that of its own program.
  /lab\/supervisors\.ts/,
  // It changes the network that all files in the sandbox share.
  /\.here\(\)/,
];

/** A test file beside which no other may run. One below test/system boots a system, which takes all processors. */
export function runsAlone(file, { root }) {
  if (file.includes("/system/")) return true;
  const text = textOf(file, root);
  return needsTheMachine.some((pattern) => pattern.test(text));
}

function textOf(file, root) {
  return readFileSync(join(root, file), "utf8");
}
