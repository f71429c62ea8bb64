// A playground for path managers: a client with two uplinks and a server, in private namespaces (tools/sandbox.mjs).
//   npm run lab                     opens a shell in the client
//   npm run lab -- COMMAND...       runs a command there, and exits with its status
import { join } from "node:path";
import { runToEnd, sandboxed, sandboxProblem } from "./sandbox.mjs";
import { fail, mptcpProblem, root, setUp } from "./setup.mjs";

setUp({ buildOptions: ["--programs-only"] });
const problem = mptcpProblem() ?? sandboxProblem();
if (problem) fail(problem);

const lab = [process.execPath, "--enable-source-maps", join(root, "dist/lab.js"), "run"];
process.exitCode = await runToEnd(sandboxed([...lab, ...process.argv.slice(2)]));
