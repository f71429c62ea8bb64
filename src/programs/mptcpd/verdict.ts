import * as v from "valibot";

/** What became of a reload. */
export interface Verdict {
  readonly isInForce: boolean;
  /** Warnings; or why it was refused. */
  readonly lines: readonly string[];
}

const schema = v.object({ isInForce: v.boolean(), lines: v.array(v.string()) });

/** A line that asks for a reload. */
export const RELOAD_REQUEST = "reload\n";

/** A verdict as it is sent: JSON in one line. */
export function encodeVerdict({ isInForce, lines }: Verdict): string {
  return `${JSON.stringify({ isInForce, lines })}\n`;
}

/** Undefined: that is none, or its end is missing. */
export function decodeVerdict(text: string): Verdict | undefined {
  if (!text.endsWith("\n")) return undefined;
  try {
    const result = v.safeParse(schema, JSON.parse(text));
    return result.success ? result.output : undefined;
  } catch {
    return undefined;
  }
}
