/** `--repair`: takes the C mptcpize's line out of the unit file itself. */
import { readFileSync } from "node:fs";
import { writeFileAtomically } from "../base/write-file.ts";
import { Refusal, reasonOf } from "./refusal.ts";
import type { RunCommand, Systemctl } from "./systemd/systemctl.ts";
import type { Unit } from "./unit.ts";
import { removalDiff, withoutUpstreamLines } from "./upstream.ts";

export type Repair = {
  readonly path: string;
  readonly content: Uint8Array;
  /** What changes, as a unified diff. */
  readonly diff: string;
  /** Whose file it is, by the package manager; undefined if nobody's. */
  readonly package: string | undefined;
};

/** Undefined if the unit file has nothing of the C mptcpize's. */
export async function planRepair({ fragment }: Unit, run: RunCommand): Promise<Repair | undefined> {
  if (fragment === undefined) return undefined;
  // A character for each byte: what else is in the file, such as a comment in another encoding, stays as it is.
  const before = readFileSync(fragment, "latin1");
  const after = withoutUpstreamLines(before);
  if (after === undefined) return undefined;
  const content = Buffer.from(after, "latin1");
  return {
    path: fragment,
    content,
    diff: removalDiff(fragment, Buffer.from(before, "latin1").toString(), content.toString()),
    package: await packageOf(fragment, run),
  };
}

export async function repair({ path, content }: Repair, systemctl: Systemctl): Promise<void> {
  try {
    writeFileAtomically(path, content);
  } catch (error) {
    throw new Refusal(`${path} cannot be written (${reasonOf(error)})`, { cause: error });
  }
  await systemctl.daemonReload();
}

/** dpkg -S: "nginx-common: /lib/systemd/system/nginx.service"; rpm -qf: "nginx-1.22-1.x86_64". */
async function packageOf(path: string, run: RunCommand): Promise<string | undefined> {
  for (const [command, option] of [
    ["dpkg", "-S"],
    ["rpm", "-qf"],
  ] as const) {
    const { stdout, code } = await run(command, [option, path]).catch(() => ({ stdout: "", code: 1 }));
    if (code === 0) return stdout.split("\n")[0]?.split(": ")[0];
  }
  return undefined;
}
