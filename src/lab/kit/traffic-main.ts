import { runTrafficEnd } from "./traffic.ts";

await runTrafficEnd(process.argv.slice(2));
