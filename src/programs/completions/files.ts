/** The files that shells complete by. */
import { describePrograms } from "./programs.ts";
import { type Row, rowText } from "./row.ts";

/** Shells, with the file's name of a program, and the rows as the shell writes them. */
const shells = {
  bash: { name: (program: string) => program, table: (rows: readonly string[]) => rows.join("\n") },
  zsh: { name: (program: string) => `_${program}`, table: (rows: readonly string[]) => rows.join("\n") },
  fish: {
    name: (program: string) => `${program}.fish`,
    table: (rows: readonly string[]) =>
      rows.map((row) => `    '${row.replace(/[\\']/g, "\\$&")}'`).join(" \\\n"),
  },
} as const;

export const shellNames = ["bash", "zsh", "fish"] as const;
export type Shell = (typeof shellNames)[number];

/** @param sourceOf what lies in packaging/completions/ by that name */
export function completionFiles(sourceOf: (name: string) => string): { path: string; text: string }[] {
  const programs = describePrograms();
  return shellNames.flatMap((shell) =>
    Array.from(programs, ([program, rows]) => ({
      path: `${shell}/${shells[shell].name(program)}`,
      text: fill(sourceOf, shell, program, rows),
    })),
  );
}

function fill(
  sourceOf: (name: string) => string,
  shell: Shell,
  program: string,
  rows: readonly Row[],
): string {
  const table = shells[shell].table(rows.map(rowText));
  return sourceOf(`completion.${shell}`)
    .replace("@shared@\n", () => sourceOf("shared.sh"))
    .replace("@table@", () => table)
    .replaceAll("@program@", program);
}
