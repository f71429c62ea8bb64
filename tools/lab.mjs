// A playground for path managers: a client with two uplinks and a server, in private namespaces (tools/sandbox.mjs).
// `npm run lab -- --help` says how it is used.
import { join } from "node:path";
import { runToEnd, sandboxed, sandboxProblem } from "./sandbox.mjs";
import { fail, mptcpProblem, root, setUp } from "./setup.mjs";

const help = `Usage: npm run lab [-- COMMAND [ARGUMENT...]]

Opens a shell on a client with two uplinks to a server, in private network
namespaces. With COMMAND, runs that there, and exits with its status. Nothing
outside is changed, and nothing is left behind. Root is not needed.

In there:
  mptcpd, mptcpctl, mptcpize   this checkout's programs
  connect [ADDRESS]            opens an MPTCP connection that stays open
  server COMMAND...            runs COMMAND on the server

Examples:
  npm run lab
  npm run lab -- ip mptcp limits

docs/path-managers.md tries path managers in it.
`;

const command = process.argv.slice(2);
const [first] = command;
if (first === "--help" || first === "-h") {
  process.stdout.write(help);
  process.exit();
}
if (first === "--") command.shift();
else if (first?.startsWith("-")) fail(`lab: ${first}: no such option; npm run lab -- --help`, 64);

setUp({ buildOptions: ["--programs-only"] });
const problem = mptcpProblem() ?? sandboxProblem();
if (problem) fail(problem);

const lab = [process.execPath, "--enable-source-maps", join(root, "dist/lab.js"), "run"];
process.exitCode = await runToEnd(sandboxed([...lab, ...command]));
