import { readFileSync } from "node:fs";

/** What a thread of this process is doing, as the kernel sees it. */
export interface ThreadUsage {
  /** It runs, waits for a processor, or was stopped: whether it gets on is not up to its code. */
  readonly runnable: boolean;
  /** Milliseconds that it has had a processor so far. */
  readonly ran: number;
}

/**
 * Reads proc_pid_stat(5) and schedstat (Documentation/scheduler/sched-stats.rst) of a thread, by the number of gettid(2).
 * Undefined where the thread has ended or the kernel does not tell (CONFIG_SCHED_INFO).
 */
export function threadUsage(thread: number): ThreadUsage | undefined {
  try {
    const stat = readFileSync(`/proc/self/task/${thread}/stat`, "latin1");
    const [ran = ""] = readFileSync(`/proc/self/task/${thread}/schedstat`, "latin1").split(" ");
    // The name before it is in parentheses, and may hold any byte.
    const state = stat.at(stat.lastIndexOf(")") + 2) ?? "";
    return { runnable: /[RTt]/.test(state), ran: Number(ran) / 1e6 };
  } catch {
    return undefined;
  }
}
