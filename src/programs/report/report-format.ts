/** A whole report as text for people, or as one JSON object. */
import { escapeLines } from "../../base/text.ts";
import type { AddressMask, AddressMode } from "./address-mask.ts";
import { hidingRule, type Secrets } from "./secrets.ts";
import type { Gathered } from "./section.ts";

export type ReportHead = {
  readonly program: string;
  readonly time: string;
  /** Who made it: "root", "user 1000 without CAP_NET_ADMIN". */
  readonly by: string;
  readonly addresses: AddressMode;
};

export type Masks = { readonly addresses: AddressMask; readonly secrets: Secrets };

const reportVersion = 1;

export function reportText(head: ReportHead, sections: readonly Gathered[], masks: Masks): string {
  const notes = notesOf(sections, masks).map(({ section, note }) => `- ${section}: ${note}\n`);
  const parts = sections.map(({ name, title, findings }) => {
    const text = findings?.text || (findings === undefined ? "(left out)\n" : "(none)\n");
    return `\n=== ${name}: ${title} ===\n${text}`;
  });
  const text = [
    `mptcpd report, version ${reportVersion}\n`,
    `Made by mptcpctl ${head.program} at ${head.time} for ${head.by}.\n`,
    "Read it before you give it away.\n",
    `Addresses: ${addressRules[head.addresses]}\n`,
    `Secrets: no environment variables, arguments of programs, or payload. ${hidingRule}\n`,
    notes.length === 0 ? "Nothing is missing.\n" : `Missing, incomplete or wrong:\n${notes.join("")}`,
    ...parts,
  ].join("");
  return withoutControls(masks.addresses.applyToTable(text));
}

/** `pretty`: over many lines. */
export function reportJson(
  head: ReportHead,
  sections: readonly Gathered[],
  masks: Masks,
  pretty: boolean,
): string {
  const report = {
    report: "mptcpd",
    version: reportVersion,
    ...head,
    notes: notesOf(sections, masks),
    sections: Object.fromEntries(sections.map(({ name, findings }) => [name, findings?.data ?? null])),
  };
  const plain = JSON.stringify(report, replaceBigints, pretty ? 4 : undefined);
  // Strings of JSON hold addresses as any text does; no mask adds what JSON would have to escape.
  return `${withoutControls(masks.addresses.apply(plain))}\n`;
}

/** Nothing in it steers the terminal that shows it. An escape of JSON's is right in both forms. */
function withoutControls(report: string): string {
  return escapeLines(report);
}

/** What could not be read and why, and what the commands warned of. */
export function notesOf(
  sections: readonly Gathered[],
  { secrets }: Masks,
): { readonly section: string; readonly note: string }[] {
  return sections.flatMap(({ name, notes }) =>
    notes.map((note) => ({ section: name, note: secrets.apply(note) })),
  );
}

const addressRules: Readonly<Record<AddressMode, string>> = {
  mask: "public and hardware addresses have names, such as public4-2.1 (host 1 of the second network, a /24 or /64; .0 is the network itself), the same throughout.",
  "mask-all":
    "all but loopback, multicast and the like have names, such as private4-2.1 (host 1 of the second network, a /24 or /64; .0 is the network itself), the same throughout.",
  keep: "as they are.",
};

/** Counters and sequence numbers: a number where it is exact. */
function replaceBigints(_: string, value: unknown): unknown {
  if (typeof value !== "bigint") return value;
  return value <= Number.MAX_SAFE_INTEGER && value >= Number.MIN_SAFE_INTEGER ? Number(value) : String(value);
}
