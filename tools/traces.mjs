// What the tour makes in its private network, and whether any of it is in this machine's.
//   node tools/traces.mjs        lists what there is in the network namespace that it runs in
import { execFileSync } from "node:child_process";
import { realpathSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** The addresses, network namespaces, endpoints and limits where this process is, a line for each thing. */
export function thingsHere() {
  const ip = (...args) => {
    const lines = execFileSync("ip", args, { encoding: "utf8" }).split("\n");
    return lines.map((line) => line.trim()).filter((line) => line !== "");
  };
  return [
    ...ip("-br", "address").flatMap(addresses),
    ...ip("netns", "list").map((line) => `network namespace ${line.split(" ")[0]}`),
    ...ip("mptcp", "endpoint").map((line) => `endpoint ${line}`),
    ...ip("mptcp", "limits").map((line) => `limits ${line}`),
  ];
}

/** What others do to the network meanwhile is their affair: only things that the tour has made count. */
export function tracesLeft({ before, after, made }) {
  const [then, now] = [new Set(before), new Set(after)];
  return [...new Set(made)].flatMap((thing) => {
    if (then.has(thing) === now.has(thing)) return [];
    return now.has(thing) ? [`+ ${thing}`] : [`- ${thing}`];
  });
}

/** "eth1@if2 UP 10.0.1.2/24 fd00::2/64" */
function addresses(line) {
  const [device, , ...list] = line.split(/\s+/);
  const name = device.replace(/@.*/, "");
  // The loopback interface is the same everywhere, and link-local addresses are the kernel's.
  return list
    .filter((address) => name !== "lo" && !address.startsWith("fe80:"))
    .map((address) => `address ${address} of ${name}`);
}

if (process.argv[1] && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  console.log(thingsHere().join("\n"));
}
