import type { SysctlError } from "../../kernel/sysctl.ts";
import type { Responsibility } from "../../path-managers/runtime/messages.ts";

/** What the kernel's path manager has to be for those in charge; undefined: any. */
export function neededBy(responsibility: Responsibility | undefined): "userspace" | "kernel" | undefined {
  const needs = responsibility?.needs ?? "kernel";
  return needs === "any" ? undefined : needs;
}

/** What to say where it cannot be what they need. */
export function lacksUserspace({ connections }: Responsibility, problem: SysctlError): string {
  return (
    `${connections.join(", ")} needs the kernel's userspace path manager: ${problem.message}; ` +
    "set it by hand, with kernel-path-manager=keep in the configuration"
  );
}
