import { table } from "../../base/command-line/table.ts";
import { messageOf } from "../../base/errors.ts";
import { type DropInDirectories, dropInDirectories, findDropIns } from "../../services/drop-in.ts";
import type { Section } from "./section.ts";

/** Which they are and how; not their lines, which hold command lines. */
export function enabledServicesSection(
  directories: DropInDirectories = dropInDirectories({ user: false }),
): Section {
  return {
    name: "services",
    title: "units that mptcpize has enabled",
    gather() {
      const failures: unknown[] = [];
      const units = findDropIns(directories, failures).map(({ unit, path, dropIn: { way, edited } }) => ({
        unit,
        way,
        edited,
        path,
      }));
      const rows = units.map(({ unit, way, edited, path }) => [
        unit,
        way,
        edited ? "edited" : "as written",
        path,
      ]);
      return {
        text: rows.length === 0 ? "" : table([["UNIT", "WAY", "DROP-IN", ""], ...rows]),
        data: units,
        notes: failures.map(messageOf),
      };
    },
  };
}
