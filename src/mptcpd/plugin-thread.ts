/** The thread of the path managers; dist/plugin-thread.js. */
import { parentPort, workerData } from "node:worker_threads";
import { builtIn } from "../path-managers/index.ts";
import type { WorkerInput } from "../plugins/protocol.ts";
import { runPluginThread } from "../plugins/thread.ts";

if (parentPort === null) throw new Error("this is no program: mptcpd runs it as a thread");
const input: WorkerInput = workerData;
await runPluginThread(parentPort, input, builtIn);
