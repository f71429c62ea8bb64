import { readFileSync } from "node:fs";
import { join } from "node:path";
import { checkout } from "../../../../src/lab/kit/checkout.ts";

/** Payloads that Linux 6.18 sent, by the names of their schemas; hexadecimal, as on little-endian machines. */
const recorded: Readonly<Record<string, readonly string[]>> = JSON.parse(
  readFileSync(join(checkout, "test/unit/kernel/netlink/captures.json"), "utf8"),
);

/** An outline reads the messages of a whole socket. */
const sources: Readonly<Record<string, string>> = { mptcpOutline: "mptcpSocket", tcpOutline: "tcpSocket" };

/** The payloads of a message that were recorded. */
export function captures(name: string): Uint8Array[] {
  return (recorded[sources[name] ?? name] ?? []).map((text) => new Uint8Array(Buffer.from(text, "hex")));
}
