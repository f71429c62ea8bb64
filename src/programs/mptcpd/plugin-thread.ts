/** The thread of the path managers; dist/plugin-thread.js. */
import { parentPort, workerData } from "node:worker_threads";
import { builtIn } from "../../path-managers/built-in/index.ts";
import { type Rehearse, runInThread } from "../../path-managers/runtime/run-in-thread.ts";
import type { ThreadInput } from "../../path-managers/runtime/thread-input.ts";

if (parentPort === null) throw new Error("this is not a program: mptcpd runs it as a thread");
const input: ThreadInput = workerData;
/** A thread that goes to work does without the simulation. */
const rehearse: Rehearse = async (...given) => (await import("./rehearsal.ts")).rehearseHere(...given);
runInThread(parentPort, input, builtIn, rehearse).catch((error: unknown) => {
  // A rejected promise would be taken for a path manager's.
  process.nextTick(() => {
    throw error;
  });
});
