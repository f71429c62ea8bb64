/** The program behind `npm run lab`; tools/lab.mjs runs it in a sandbox, and it runs itself in the hosts there. */
import { connect, echo, play } from "./playground.ts";

const [role, ...rest] = process.argv.slice(2);
void main();

async function main(): Promise<void> {
  if (role === "echo") await echo();
  else if (role === "connect") await connect(rest);
  else process.exitCode = await play([process.execPath, import.meta.filename], rest);
}
