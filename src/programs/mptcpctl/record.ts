/** `mptcpctl record`: what a path manager on this host would hear, in a file. */
import { closeSync, constants, fstatSync, lstatSync, openSync, writeFileSync } from "node:fs";
import { release } from "node:os";
import { systemClock } from "../../base/clock.ts";
import { codeOf, hasCode, messageOf } from "../../base/errors.ts";
import { removeFile } from "../../base/files.ts";
import { NetworkMonitor } from "../../control/network/monitor.ts";
import { Sockets } from "../../kernel/sockets.ts";
import { Recorder } from "../../path-managers/simulation/recorder.ts";
import { type Context, warningLogger, watchEvents, withPathManager } from "./context.ts";
import { CommandError, interrupted, UsageError } from "./exit.ts";

/** Bytes: half a second of events at 40,000 a second. */
const RECEIVE_BUFFER = 32 * 1024 * 1024;

/** Records until a signal ends it. */
export async function runRecord(words: readonly string[], context: Context): Promise<void> {
  const [file, ...more] = words;
  if (file === undefined || file === "" || more.length > 0)
    throw new UsageError("record: give one FILE, or - for standard output");
  await withPathManager(
    async (pm) => {
      let recorder: Recorder | undefined;
      const monitor = await NetworkMonitor.start({
        log: warningLogger(context),
        onChange: () => recorder?.networkChanged(),
      });
      const sockets = Sockets.open({ receiveBuffer: RECEIVE_BUFFER });
      try {
        let onFailure: (error: unknown) => void = () => undefined;
        const failed = new Promise<never>((_, reject) => {
          onFailure = reject;
        });
        recorder = new Recorder({
          ...{ sockets, clock: systemClock, write: writerTo(file, context), warn: context.warn, onFailure },
          header: { time: new Date().toISOString(), kernel: release() },
          events: { events: (handlers) => watchEvents(pm, handlers) },
          network: () => monitor.network,
        });
        void recorder.start();
        await Promise.race([interrupted(), failed]);
        await recorder.finish();
      } finally {
        recorder?.close();
        sockets.close();
        monitor.close();
      }
    },
    { receiveBuffer: RECEIVE_BUFFER },
  );
}

/** Opens the file when there is something to write: what was in it is gone then. */
function writerTo(file: string, { write, drain }: Context): (text: string) => Promise<void> | undefined {
  if (file === "-")
    return (text) => {
      write(text);
      return drain();
    };
  let fd: number | undefined;
  return (text) => {
    try {
      fd ??= openRecording(file);
      writeFileSync(fd, text);
      return undefined;
    } catch (error) {
      throw new CommandError(codeOf(error) ?? "EIO", `cannot write ${file}: ${messageOf(error)}`);
    }
  };
}

/**
 * Opens a file to write a recording. A file that is there is replaced, not written into: root records, and in a directory
 * of another user it may be a link to a file of root's. A pipe or a device takes the recording as it is.
 *
 * @throws CommandError for a symbolic link; the file system's error
 */
export function openRecording(file: string): number {
  if (isOwnDescriptor(file)) return openSync(file, "w");
  const status = lstatSync(file, { throwIfNoEntry: false });
  if (status !== undefined && !status.isFile()) return openSpecial(file);
  removeFile(file);
  return openSync(file, "wx", 0o666);
}

/** Those links are the kernel's: "/dev/stdout", and "/dev/fd/63", which shells give for `>(gzip)`. */
function isOwnDescriptor(file: string): boolean {
  return /^\/(dev|proc\/self)\/(stdout|stderr|fd\/\d+)$/.test(file);
}

function openSpecial(file: string): number {
  const { O_WRONLY, O_NOFOLLOW, O_NOCTTY } = constants;
  let fd: number;
  try {
    fd = openSync(file, O_WRONLY | O_NOFOLLOW | O_NOCTTY);
  } catch (error) {
    if (hasCode(error, "ELOOP"))
      throw new CommandError("ELOOP", "it is a symbolic link, which is not followed; name the file itself");
    throw error;
  }
  if (!fstatSync(fd).isFile()) return fd;
  closeSync(fd);
  throw new CommandError("EEXIST", "it became another file while it was opened; try again");
}
