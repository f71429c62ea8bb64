import { runTrafficEnd } from "./traffic-ends.ts";

await runTrafficEnd(process.argv.slice(2));
