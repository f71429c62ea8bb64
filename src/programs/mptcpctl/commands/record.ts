/** `mptcpctl record`: writes everything that a path manager on this host would hear to a file. */
import { writeFileSync } from "node:fs";
import { release } from "node:os";
import { systemClock } from "../../../base/clock.ts";
import { codeOf, messageOf } from "../../../base/errors.ts";
import { NetworkMonitor } from "../../../control/network/monitor.ts";
import { EVENT_BUFFER } from "../../../kernel/mptcp-pm.ts";
import { Sockets } from "../../../kernel/sockets.ts";
import { Recorder } from "../../../path-managers/simulation/recorder.ts";
import { warningLogger, watchEvents, withPathManager } from "../io/kernel-access.ts";
import { CommandError, type CommandOutput, interrupted, UsageError } from "../io/output.ts";
import { openRecording } from "../io/output-files.ts";

/** Records until a signal ends it. */
export async function runRecord(words: readonly string[], output: CommandOutput): Promise<void> {
  const [file, ...more] = words;
  if (file === undefined || file === "" || more.length > 0)
    throw new UsageError("record: give one FILE, or - for standard output");
  await withPathManager(
    async (pm) => {
      let recorder: Recorder | undefined;
      const monitor = await NetworkMonitor.start({
        log: warningLogger(output),
        onChange: () => recorder?.networkChanged(),
      });
      const sockets = Sockets.open({ receiveBuffer: EVENT_BUFFER });
      try {
        let onFailure: (error: unknown) => void = () => undefined;
        const failed = new Promise<never>((_, reject) => {
          onFailure = reject;
        });
        recorder = new Recorder({
          ...{ sockets, clock: systemClock, write: writerTo(file, output), warn: output.warn, onFailure },
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
    { receiveBuffer: EVENT_BUFFER },
  );
}

/** Opens the file at the first write, because opening it replaces the earlier contents. */
function writerTo(
  file: string,
  { write, drain }: CommandOutput,
): (text: string) => Promise<void> | undefined {
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
