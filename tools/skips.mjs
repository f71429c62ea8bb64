// A reporter for node:test that lists the skipped tests, one a line, with the reason of each.
import { relative } from "node:path";

export default async function* skips(events) {
  for await (const { type, data } of events) {
    if ((type !== "test:pass" && type !== "test:fail") || data.skip === undefined) continue;
    const reason = data.skip === true ? "without a reason" : data.skip;
    yield `${relative(process.cwd(), data.file ?? "")}: ${data.name}: ${reason}\n`;
  }
}
