// What test files depend on.
import { readFileSync } from "node:fs";
import { join } from "node:path";

/**
 * The interfaces of Node that differ from one version to the next, and the tests that touch them, by how their paths
 * begin.
 */
const interfacesOfNode = {
  "threads, and the streams between them": [
    "unit/path-managers/runtime/",
    ...["kernel/path-managers-threads", "kernel/path-managers-reload", "kernel/faults-plugins"],
  ],
  "the loader of modules": [
    ...["unit/path-managers/api/", "kernel/path-managers-loading", "system/package-npm"],
    "kernel/mptcpctl-replay",
  ],
  "child processes and their pipes": [
    ...["unit/base/command-line/", "unit/programs/mptcpd/mptcpd-output"],
    ...["kernel/path-managers-programs", "kernel/check.", "kernel/lab-command"],
  ],
  "signals, and how a process ends": ["kernel/lifecycle", "kernel/reload.", "kernel/survival"],
  "standard streams: closed, full, terminals": [
    ...["unit/base/log", "unit/programs/mptcpd/notify"],
    ...["kernel/command-line", "kernel/mptcpctl.", "kernel/hostile-text"],
  ],
  "sockets of the addon, and timers beside them": [
    ...["unit/kernel/", "unit/base/", "unit/control/network/"],
    ...["kernel/addon", "kernel/rtnetlink.", "kernel/mptcp-pm", "kernel/sockets", "kernel/standstill"],
  ],
  "the file system, and what its errors say": [
    ...["unit/control/endpoints/", "unit/control/connections/connections-checkpoint"],
    ...["unit/control/config/config-file", "unit/programs/mptcpd/file-access"],
    ...["unit/services/", "unit/programs/mptcpctl/mptcpctl-output-files", "kernel/state-directory"],
    ...["kernel/mptcpctl-record", "kernel/mptcpize-status", "system/mptcpize-units"],
  ],
};

/** All beginnings in the table, for a test that finds files for each. */
export const beginnings = Object.values(interfacesOfNode).flat();

/** Whether a test file has to do with Node itself: it runs on every supported one. */
export function dependsOnNode(file) {
  const name = file.replace(/^(build\/)?test\//, "");
  return beginnings.some((beginning) => name.startsWith(beginning));
}

const needsTheMachine = [
  // It measures time or memory.
  /\bperformance\.now\b|\bhrtime\b|\bcpuUsage\b|\bmemoryUsage\b|\bresourceUsage\b/,
  // It fills a buffer of the kernel faster than mptcpd reads.
  /\bdropped (events|notifications)\b/,
  // It takes every supervisor that there is for that of its own program.
  /lab\/supervisors\.[jt]s/,
  // It changes the network, or mounts, that all files in the sandbox share.
  /\.here\(\)|lab\/rtnetlink\.[jt]s/,
  /\/sys\/fs\/bpf/,
  // Its cgroups are the machine's, which others sweep out.
  /kernel\/cgroups\.[jt]s/,
  // It looks for an mptcpd in every network namespace, and wants to find none.
  /None of them runs/,
];

/** A test file beside which no other may run. */
export function runsAlone(file, { root }) {
  const text = textOf(file, root);
  return needsTheMachine.some((pattern) => pattern.test(text));
}

function textOf(file, root) {
  return readFileSync(join(root, file), "utf8");
}
