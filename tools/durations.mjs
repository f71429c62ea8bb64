// A reporter for node:test that lists how long each file of tests took, one a line: milliseconds, file.
import { relative } from "node:path";

export default async function* durations(events) {
  const files = new Map();
  for await (const { type, data } of events) {
    if ((type !== "test:pass" && type !== "test:fail") || data.nesting > 0 || data.file === undefined)
      continue;
    files.set(data.file, (files.get(data.file) ?? 0) + data.details.duration_ms);
  }
  for (const [file, duration] of files) yield `${Math.round(duration)} ${relative(process.cwd(), file)}\n`;
}
