import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseUnitName } from "../../../../src/services/systemd/unit-name.ts";

describe("the name of a unit", () => {
  it("is that of a service if it does not say otherwise", () => {
    for (const [text, name] of [
      ["nginx", "nginx.service"],
      ["nginx.service", "nginx.service"],
      ["foo.bar", "foo.bar.service"],
      ["foo@bar", "foo@bar.service"],
      ["ssh.socket", "ssh.socket"],
    ] as const)
      assert.equal(parseUnitName(text).name, name);
  });

  it("has a prefix, may have an instance, or be a template", () => {
    assert.deepEqual(parseUnitName("foo@a@b.socket"), {
      name: "foo@a@b.socket",
      type: "socket",
      prefix: "foo",
      template: false,
      instance: "a@b",
    });
    const { template, instance, prefix } = parseUnitName("foo@");
    assert.deepEqual([template, instance, prefix], [true, undefined, "foo"]);
    assert.equal(parseUnitName("foo").instance, undefined);
  });

  it("may have what systemd-escape writes", () => {
    const name = String.raw`dev-disk-by\x2dlabel.service`;
    assert.equal(parseUnitName(name).name, name);
  });

  it("has nothing in it that leads elsewhere or means something to a shell", () => {
    const bad = ["", "a/b", "../a", "/etc/a.service", "a b", "a;b", "$(a)", "`a`", "a*", "a\nb", "é", "%n"];
    for (const text of [...bad, "@", "@a", ".service", "@.service"])
      assert.throws(() => parseUnitName(text), { code: "UNIT_NAME" }, JSON.stringify(text));
  });

  it("has no more than 255 characters", () => {
    const longest = "a".repeat(255 - ".service".length);
    assert.equal(parseUnitName(longest).name.length, 255);
    assert.throws(() => parseUnitName(`${longest}a`), {
      code: "UNIT_NAME",
      message: `a unit name has at most 255 characters: "${"a".repeat(20)}…" has 256`,
    });
  });
});
