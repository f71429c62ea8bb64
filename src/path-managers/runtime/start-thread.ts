import type { Prepared } from "./messages.ts";
import type { PluginSource } from "./plugin-sources.ts";
import { PathManagersRefusedError } from "./thread-failure.ts";
import type { ThreadInput } from "./thread-input.ts";

export interface Started<Input, Worker> {
  readonly worker: Worker;
  readonly prepared: Prepared;
  /** What it was started with in the end. */
  readonly input: Input;
}

/**
 * Starts a thread of path managers, and waits until all is loaded. A file that the thread does not survive is left out the
 * next time, with a warning, unless it was named; where nobody knows which file that is, all that were not named are.
 *
 * @throws PathManagersRefusedError
 */
export async function startThread<
  Input extends Pick<ThreadInput, "sources">,
  Worker extends { prepare(): Promise<Prepared> },
>(wanted: Input, start: (input: Input) => Worker): Promise<Started<Input, Worker>> {
  const warnings: string[] = [];
  for (let input = wanted; ; ) {
    const worker = start(input);
    try {
      const prepared = await worker.prepare();
      return { worker, input, prepared: { ...prepared, warnings: [...warnings, ...prepared.warnings] } };
    } catch (error) {
      if (!(error instanceof PathManagersRefusedError)) throw error;
      const suspects = suspectsOf(error, input.sources);
      if (suspects.length === 0)
        throw new PathManagersRefusedError([...warnings, ...error.lines], error.failure);
      for (const { name } of suspects)
        warnings.push(`plugin ${name}: ${error.lines.join("; ")}; it is not loaded`);
      input = { ...input, sources: input.sources.filter((source) => !suspects.includes(source)) };
    }
  }
}

function suspectsOf({ failure }: PathManagersRefusedError, sources: readonly PluginSource[]): PluginSource[] {
  // Whose code ran by then is known: the files themselves were loaded.
  if (failure === undefined || failure.plugin !== undefined) return [];
  const possible = failure.loading === undefined ? sources : [failure.loading];
  return possible.filter((source) => source.kind === "file" && !source.required);
}

/** Milliseconds before the second of two replacements in a row, and the longest wait. */
const FIRST_WAIT = 1000;
const LONGEST_WAIT = 30_000;

/** Milliseconds to wait with a replacement after so many in a row: 0, 1000, 2000, 4000 … and never more than 30 s. */
export function pauseAfter(replacements: number): number {
  return replacements === 0 ? 0 : Math.min(FIRST_WAIT * 2 ** (replacements - 1), LONGEST_WAIT);
}
