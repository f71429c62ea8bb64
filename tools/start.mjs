// The tour: sets up what is missing, and shows the project at work in private namespaces (tools/sandbox.mjs).
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runToEnd, sandboxed, sandboxProblem } from "./sandbox.mjs";
import { fail, mptcpProblem, root, setUp } from "./setup.mjs";
import { thingsHere, tracesLeft } from "./traces.mjs";

setUp({ buildOptions: ["--programs-only"] });
const problem = mptcpProblem() ?? sandboxProblem();
if (problem) fail(problem);

const scratch = mkdtempSync(join(tmpdir(), "mptcpd-tour-"));
try {
  process.exitCode = await show(join(scratch, "made"));
} finally {
  rmSync(scratch, { recursive: true });
}

/** @param list where the tour writes what it has made */
async function show(list) {
  const before = thingsHere();
  const tour = [process.execPath, "--enable-source-maps", join(root, "dist/tour.js")];
  const code = await runToEnd(sandboxed(tour), { env: { ...process.env, MPTCPD_TOUR_MADE: list } });
  // It has none if it was stopped, or has failed and said so.
  const made = existsSync(list) ? readFileSync(list, "utf8").trimEnd().split("\n") : [];
  const left = tracesLeft({ before, after: thingsHere(), made });
  if (left.length > 0) {
    console.error(`The tour has changed the network of this machine:\n${left.join("\n")}`);
    return 1;
  }
  if (made.length > 0) console.log(`Nothing of what it made is left (${made.length} things looked for).`);
  return code;
}
