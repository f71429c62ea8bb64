// The tour: sets up what is missing, and shows the project at work in private namespaces (tools/sandbox.mjs).
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { runToEnd, sandboxed, sandboxProblem } from "./sandbox.mjs";
import { fail, mptcpProblem, root, setUp } from "./setup.mjs";

setUp({ buildOptions: ["--programs-only"] });
const problem = mptcpProblem() ?? sandboxProblem();
if (problem) fail(problem);

const before = thisMachine();
const code = await runToEnd(
  sandboxed([process.execPath, "--enable-source-maps", join(root, "dist/tour.js")]),
);
const after = thisMachine();
const changes = [...before].filter((line) => !after.has(line)).map((line) => `- ${line}`);
changes.push(...[...after].filter((line) => !before.has(line)).map((line) => `+ ${line}`));
if (changes.length > 0) fail(`The network of this machine is not as it was before:\n${changes.join("\n")}`);
console.log(
  `The network of this machine is as it was before (${before.size} links, addresses, endpoints and settings compared).`,
);
process.exitCode = code;

/** What the tour must not touch, a line for each thing. */
function thisMachine() {
  const ip = (...args) => execFileSync("ip", args, { encoding: "utf8" }).trimEnd().split("\n");
  return new Set([
    ...ip("-br", "link"),
    ...ip("-br", "address"),
    ...ip("netns", "list"),
    ...ip("mptcp", "endpoint"),
    ...ip("mptcp", "limits"),
    ...sysctls("/proc/sys/net"),
  ]);
}

function* sysctls(directory) {
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) yield* sysctls(path);
    // What counts connections changes by itself.
    else if (entry.name !== "nf_conntrack_count") yield `${path} ${readSysctl(path)}`;
  }
}

/** Some are for writing only, or for root only. */
function readSysctl(path) {
  try {
    return readFileSync(path, "utf8").trim();
  } catch (error) {
    return error.code;
  }
}
