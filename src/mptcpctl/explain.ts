import type { Context } from "./context.ts";
import { UsageError } from "./exit.ts";
import type { PolicyOptions } from "./program.ts";
export async function runExplain(_w: readonly string[], _o: PolicyOptions, _c: Context): Promise<void> {
  throw new UsageError("explain");
}
