import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { pathToFileURL } from "node:url";
import fc from "fast-check";
import type { Schema } from "../../../../src/kernel/netlink/codec.ts";
import { NetlinkError } from "../../../../src/kernel/netlink/errors.ts";
import { arbitrary } from "./arbitrary.ts";

describe("every schema that src/kernel/netlink and src/kernel export", async () => {
  const schemas = await exportedSchemas();

  it("is found by this test", () => {
    for (const name of [
      "addressMessage",
      "linkMessage",
      "routeMessage",
      "pmMessage",
      "controlMessage",
      "subflow",
    ])
      assert.ok(schemas.has(name), name);
  });

  for (const [name, schema] of schemas) {
    it(`${name}: decoding undoes encoding`, () => {
      fc.assert(
        fc.property(arbitrary(schema), (value) => {
          assert.deepEqual(schema.decode(schema.encode(value)), value);
        }),
        { numRuns: 200 },
      );
    });

    it(`${name}: random bytes decode or give a NetlinkError, and nothing beyond them is read`, () => {
      fc.assert(
        fc.property(
          fc.oneof(fc.uint8Array({ maxLength: 300 }), almost(schema)),
          fc.nat(255),
          (bytes, around) => {
            const [first, second] = [surrounded(bytes, around), surrounded(bytes, 255 - around)].map((copy) =>
              outcome(() => schema.decode(copy)),
            );
            assert.deepEqual(first, second);
          },
        ),
        { numRuns: 500 },
      );
    });
  }
});

async function exportedSchemas(): Promise<Map<string, Schema<unknown, unknown>>> {
  const schemas = new Map<string, Schema<unknown, unknown>>();
  const source = join(import.meta.dirname, "../../../../src");
  for (const directory of ["kernel/netlink", "kernel"])
    for (const file of readdirSync(join(source, directory)).filter((name) => /\.[jt]s$/.test(name))) {
      const module: Record<string, unknown> = await import(pathToFileURL(join(source, directory, file)).href);
      for (const [name, value] of Object.entries(module)) if (isSchema(value)) schemas.set(name, value);
    }
  return schemas;
}

function isSchema(value: unknown): value is Schema<unknown, unknown> {
  return (typeof value === "object" || typeof value === "function") && value !== null && "record" in value;
}

/** Bytes of the schema with a few of them changed: most lengths are right, some lie. */
function almost(schema: Schema<unknown, unknown>): fc.Arbitrary<Uint8Array> {
  const changes = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 4 });
  return fc.tuple(arbitrary(schema), changes, fc.nat(8)).map(([value, edits, cut]) => {
    const bytes = schema.encode(value);
    for (const [place, byte] of edits) if (bytes.length > 0) bytes[place % bytes.length] = byte;
    return bytes.subarray(0, Math.max(0, bytes.length - cut));
  });
}

/** The bytes between others, in one buffer: a read beyond them would be seen by its result. */
function surrounded(bytes: Uint8Array, filler: number): Uint8Array {
  const whole = new Uint8Array(bytes.length + 64).fill(filler);
  whole.set(bytes, 32);
  return whole.subarray(32, 32 + bytes.length);
}

function outcome(decode: () => unknown): unknown {
  try {
    return { value: decode() };
  } catch (error) {
    assert.ok(error instanceof NetlinkError, String(error));
    return { message: error.message };
  }
}
