// A reporter for node:test: a line for each test, as tools/vm.mjs reads it: file, outcome, name, reason.
import { relative } from "node:path";

export default async function* results(events) {
  for await (const { type, data } of events) {
    if (type !== "test:pass" && type !== "test:fail") continue;
    const skipped = data.skip !== undefined;
    // A suite counts by its tests, unless it is skipped as a whole or fails by itself.
    const { details } = data;
    if (details.type === "suite" && !skipped && details.error?.failureType !== "hookFailed") continue;
    const outcome = skipped ? "skipped" : type === "test:pass" ? "passed" : "failed";
    const columns = [relative(process.cwd(), data.file ?? ""), outcome, data.name, skipped ? data.skip : ""];
    yield `${columns.map((column) => String(column).replaceAll(/\s+/g, " ")).join("\t")}\n`;
  }
}
