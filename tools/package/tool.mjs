// Programs that make packages.
import { execFileSync } from "node:child_process";

/** What it writes, as execFileSync has it; an error that says what to install where it is missing. */
export function runTool(command, args, debianPackage, options = {}) {
  try {
    return execFileSync(command, args, { stdio: ["ignore", "pipe", "inherit"], ...options });
  } catch (error) {
    if (error.code !== "ENOENT") throw error;
    throw new Error(`${command} was not found: install it (Debian: apt install ${debianPackage})`);
  }
}
