/** By what a process shows that mptcpize has reached it. */
import { basename } from "node:path";
import type { Process, Processes } from "../kernel/processes.ts";
import type { Properties } from "./systemd/shown.ts";

/** native/launcher/supervisor.c calls itself so. */
export const supervisorName = "mptcpize";

/** Whether libmptcpwrap.so is loaded, this or another version of it. */
export function hasLibrary(pid: number, processes: Processes): boolean | undefined {
  const files = processes.mappedFiles(pid);
  return files && [...files].some((file) => basename(file).startsWith("libmptcpwrap.so"));
}

/** For a Go program, which looks at it alone, it means MPTCP. */
export function hasGoVariable(pid: number, processes: Processes): boolean | undefined {
  const environment = processes.environment(pid);
  return environment && /(?:^|,)multipathtcp=1(?:,|$)/.test(environment.get("GODEBUG") ?? "");
}

/** Those of a unit that is not enabled by which mptcpize still acts; none where the unit calls for it by itself. */
export function leftProcesses(
  members: readonly Process[],
  shown: Properties,
  processes: Processes,
): Process[] {
  const own = [...shown.lines("ExecStart"), ...shown.lines("Environment")].join(" ");
  if (/mptcpize|mptcpwrap|multipathtcp=/.test(own)) return [];
  return members.filter(
    ({ pid, name }) => name === supervisorName || hasLibrary(pid, processes) || hasGoVariable(pid, processes),
  );
}
