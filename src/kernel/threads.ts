/** Threads of this process, and the processes that they have started. */

import { readFileSync, readlinkSync } from "node:fs";
import { namesIn } from "../base/files.ts";
import { addon } from "./netlink/addon.ts";

/** The number by which the kernel knows the calling thread (gettid(2)); 0 where /proc does not tell. */
export function currentThread(): number {
  try {
    return Number(readlinkSync("/proc/thread-self").split("/").at(-1));
  } catch {
    return 0;
  }
}

/**
 * Kills the processes that a thread of ours has started, and theirs (proc_tid_children(5); CONFIG_PROC_CHILDREN,
 * without which nothing happens). A thread that waits for one of them waits no longer.
 */
export function killChildrenOf(thread: number): void {
  for (const pid of childrenIn(`/proc/self/task/${thread}`)) killTree(pid);
}

/** Sends a signal to the process group of a child that was made its leader (spawn with `detached`). */
export function signalGroup(leader: number, name: NodeJS.Signals): void {
  signal(-leader, name);
}

/** The children of the main thread: those that it had before this program began (execve(2) keeps them), too. */
export function childrenOfMainThread(): ReadonlySet<number> {
  return new Set(childrenIn(`/proc/self/task/${process.pid}`));
}

/**
 * Kills the process groups that a thread of ours has left which ended by itself: the kernel gives its children to the
 * main thread (find_new_reaper() in kernel/exit.c). As process 1 it also gets the orphans of others, so it kills
 * nothing then.
 * @param others the children that the main thread had before that thread began
 */
export function killGroupsLeft(others: ReadonlySet<number>): void {
  if (process.pid === 1) return;
  for (const pid of childrenOfMainThread()) if (!others.has(pid)) signalGroup(pid, "SIGKILL");
}

/** What a thread of this process is doing, as the kernel sees it. */
export interface ThreadUsage {
  /** It runs, waits for a processor, or was stopped: whether it gets on is not up to its code. */
  readonly runnable: boolean;
  /** Milliseconds that it has had a processor so far. */
  readonly ran: number;
  /** Milliseconds that it has waited for one, but for the wait that lasts. */
  readonly waited: number;
}

/** What each thread of this process is doing, by the number of gettid(2). */
export function threadUsages(): ReadonlyMap<number, ThreadUsage> {
  const usages = new Map<number, ThreadUsage>();
  for (const name of namesIn("/proc/self/task")) {
    const usage = usageIn(`/proc/self/task/${name}`);
    if (usage !== undefined) usages.set(Number(name), usage);
  }
  return usages;
}

/**
 * Reads proc_pid_stat(5) and schedstat (Documentation/scheduler/sched-stats.rst). Undefined where the thread has ended
 * or the kernel does not tell (CONFIG_SCHED_INFO).
 */
function usageIn(task: string): ThreadUsage | undefined {
  try {
    const stat = readFileSync(`${task}/stat`, "latin1");
    const [ran = "", waited = ""] = readFileSync(`${task}/schedstat`, "latin1").split(" ");
    // The name before it is in parentheses, and may hold any byte.
    const state = stat.at(stat.lastIndexOf(")") + 2) ?? "";
    return { runnable: /[RTt]/.test(state), ran: Number(ran) / 1e6, waited: Number(waited) / 1e6 };
  } catch {
    return undefined;
  }
}

/** Ends the process at once, with its threads, wherever they are (_exit(2)). Nothing is flushed, nobody is asked. */
export function exitNow(status: number): never {
  return addon().exitNow(status);
}

function killTree(pid: number): void {
  // It shall start no more while we look.
  signal(pid, "SIGSTOP");
  for (const task of namesIn(`/proc/${pid}/task`))
    for (const child of childrenIn(`/proc/${pid}/task/${task}`)) killTree(child);
  // Orphans of the child have another parent, but its group. The group is not reused before we reap the child.
  signalGroup(pid, "SIGKILL");
  signal(pid, "SIGKILL");
}

function childrenIn(task: string): number[] {
  try {
    const words = readFileSync(`${task}/children`, "utf8").split(" ");
    return words.filter((word) => word !== "").map(Number);
  } catch {
    return [];
  }
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // It has ended.
  }
}
