import type { WorkerInput } from "./protocol.ts";
import type { PluginSource } from "./sources.ts";
import { PluginsRefusedError } from "./thread-failure.ts";
import type { Prepared } from "./worker.ts";

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
 * @throws PluginsRefusedError
 */
export async function startWorker<
  Input extends Pick<WorkerInput, "sources">,
  Worker extends { prepare(): Promise<Prepared> },
>(wanted: Input, start: (input: Input) => Worker): Promise<Started<Input, Worker>> {
  const warnings: string[] = [];
  for (let input = wanted; ; ) {
    const worker = start(input);
    try {
      const prepared = await worker.prepare();
      return { worker, input, prepared: { ...prepared, warnings: [...warnings, ...prepared.warnings] } };
    } catch (error) {
      if (!(error instanceof PluginsRefusedError)) throw error;
      const suspects = suspectsOf(error, input.sources);
      if (suspects.length === 0) throw new PluginsRefusedError([...warnings, ...error.lines], error.failure);
      for (const { name } of suspects)
        warnings.push(`plugin ${name}: ${error.lines.join("; ")}; it is not loaded`);
      input = { ...input, sources: input.sources.filter((source) => !suspects.includes(source)) };
    }
  }
}

function suspectsOf({ failure }: PluginsRefusedError, sources: readonly PluginSource[]): PluginSource[] {
  // Whose code ran by then is known: the files themselves were loaded.
  if (failure === undefined || failure.plugin !== undefined) return [];
  const possible = failure.loading === undefined ? sources : [failure.loading];
  return possible.filter((source) => source.kind === "file" && !source.required);
}
