/**
 * `node --import …/mptcpd/dist/lib/typescript.js --test wifi-first.test.ts`: Node understands TypeScript, and "mptcpd",
 * "mptcpd/testing" and "valibot" are there for files that lie anywhere, as in mptcpd itself.
 */
import { join } from "node:path";
import { registerHooks } from "../runtime/module-hooks.ts";
import * as hooks from "./typescript-hooks.ts";

registerHooks(hooks, join(import.meta.dirname, "typescript-hooks.js"));
