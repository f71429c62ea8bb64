import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { pathToFileURL } from "node:url";
import fc from "fast-check";
import type { Schema } from "../../../../src/kernel/netlink/codec.ts";
import { NetlinkError } from "../../../../src/kernel/netlink/errors.ts";
import { almost, arbitrary } from "./arbitrary.ts";

describe("every schema that src/kernel/netlink and src/kernel/messages export", async () => {
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
  for (const directory of ["kernel/netlink", "kernel/messages"])
    for (const file of readdirSync(join(source, directory)).filter((name) => /\.[jt]s$/.test(name))) {
      const module: Record<string, unknown> = await import(pathToFileURL(join(source, directory, file)).href);
      for (const [name, value] of Object.entries(module)) if (isSchema(value)) schemas.set(name, value);
    }
  return schemas;
}

function isSchema(value: unknown): value is Schema<unknown, unknown> {
  return (typeof value === "object" || typeof value === "function") && value !== null && "record" in value;
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
