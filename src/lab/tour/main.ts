/** The program behind `npm start`; tools/start.mjs runs it in a sandbox, and it runs itself in the hosts of its lab. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { checkout } from "../kit/checkout.ts";
import { Lab } from "../kit/lab.ts";
import { runTrafficEnd } from "../kit/traffic.ts";
import { runTour } from "./acts.ts";
import { now, watch } from "./observer.ts";
import { duration, Screen } from "./stage.ts";

const [role, ...options] = process.argv.slice(2);
void main();

async function main(): Promise<void> {
  if (role === "watch") await watch();
  else if (role !== undefined) await runTrafficEnd([role, ...options]);
  else await tour();
}

async function tour(): Promise<void> {
  const screen = new Screen();
  const start = now();
  const lab = await Lab.create();
  for (const [signal, code] of [
    ["SIGINT", 130],
    ["SIGTERM", 143],
  ] as const) {
    process.on(signal, () => {
      screen.say("", "stopped; nothing is left behind");
      // The sandbox ends with this process, and with it all that is in there.
      process.exit(code);
    });
  }
  try {
    await runTour(lab, screen, [process.execPath, import.meta.filename]);
    await listWhatWasMade(lab);
    screen.say("", `That was ${duration(now() - start)}.`);
  } catch (error) {
    screen.say("", screen.red(`The tour failed: ${error instanceof Error ? error.message : error}`));
    process.exitCode = 1;
  } finally {
    await lab.close();
  }
}

/** For tools/start.mjs, which looks whether any of it is outside. */
async function listWhatWasMade(lab: Lab): Promise<void> {
  const { MPTCPD_TOUR_MADE: list } = process.env;
  if (list === undefined) return;
  const hosts = [await lab.host("client"), await lab.host("server")];
  const things = hosts.map((host) => host.run(process.execPath, join(checkout, "tools/traces.mjs")));
  writeFileSync(list, (await Promise.all(things)).join(""));
}
