/** `mptcpize status` */
import { attachedCgroups } from "../../kernel/bpf/attachment.ts";
import { Processes } from "../../kernel/processes.ts";
import { Sysctls } from "../../kernel/sysctl.ts";
import { dropInDirectories } from "../../services/drop-in.ts";
import { gatherStatus } from "../../services/status.ts";
import { type Context, endingOf, exitCodes } from "./exit.ts";
import { statusJson, statusText } from "./status-format.ts";
import { openSystemctl } from "./surroundings.ts";

export type StatusOptions = {
  readonly json?: boolean;
  readonly user?: boolean;
};

/** @param words units and process ids */
export async function runStatus(
  words: readonly string[],
  { json = false, user = false }: StatusOptions,
  context: Context,
): Promise<number> {
  const status = await gatherStatus(words, {
    systemctl: openSystemctl(user),
    directories: dropInDirectories({ user }),
    processes: new Processes(),
    attachedCgroups: () => (process.geteuid?.() === 0 ? attachedCgroups() : undefined),
    user,
  });
  if (status.partial) context.warn("not all processes can be looked into: root sees the sockets of all");
  const enabled = new Sysctls().mptcp("enabled");
  if (enabled === undefined) context.warn("this kernel has no MPTCP: every socket is TCP");
  else if (!enabled) context.warn("net.mptcp.enabled is 0: new sockets are TCP");
  for (const failure of status.failures) {
    const { line } = endingOf(failure);
    if (line !== undefined) context.warn(line);
  }
  context.write(json ? statusJson(status) : statusText(status));
  return status.failures.length === 0 ? exitCodes.ok : exitCodes.failed;
}
