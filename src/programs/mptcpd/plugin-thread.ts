/** The thread of the path managers; dist/plugin-thread.js. */
import { parentPort, workerData } from "node:worker_threads";
import { builtIn } from "../../path-managers/built-in/index.ts";
import type { WorkerInput } from "../../path-managers/runtime/protocol.ts";
import { type Rehearse, runPluginThread } from "../../path-managers/runtime/thread.ts";

if (parentPort === null) throw new Error("this is no program: mptcpd runs it as a thread");
const input: WorkerInput = workerData;
/** A thread that goes to work does without the simulation. */
const rehearse: Rehearse = async (...given) => (await import("./rehearsal.ts")).rehearseHere(...given);
await runPluginThread(parentPort, input, builtIn, rehearse);
