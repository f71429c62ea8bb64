/** The daemon cannot run, for a reason that is not ours: one line says what to do. Exit code 1. */
export class StartError extends Error {
  override readonly name = "StartError";
  readonly code = "ESTART";
}
