// What test files depend on.

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
  return beginsLike(file, beginnings);
}

/** Test files beside which no other may run, by how their paths begin. */
const alone = {
  "it measures how long something takes": [
    ...["kernel/path-managers-mesh", "kernel/launcher-seccomp-restarts"],
  ],
  "its cgroups are the machine's, which others sweep out": ["kernel/bpf", "kernel/launcher-bpf"],
};

/** All beginnings in that table. */
export const beginningsAlone = Object.values(alone).flat();

export function runsAlone(file) {
  return beginsLike(file, beginningsAlone);
}

function beginsLike(file, beginnings) {
  const name = file.replace(/^(build\/)?test\//, "");
  return beginnings.some((beginning) => name.startsWith(beginning));
}
