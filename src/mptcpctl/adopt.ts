import type { Context } from "./context.ts";
import { UsageError } from "./exit.ts";
import type { AdoptOptions } from "./program.ts";
export async function runAdopt(_w: readonly string[], _o: AdoptOptions, _c: Context): Promise<void> {
  throw new UsageError("adopt");
}
