import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { hidden } from "../../../src/services/sandbox.ts";
import { properties } from "./facts.ts";

/** The setting that is named as the reason. */
function hiding(path: string, values: Readonly<Record<string, string>>) {
  return hidden(path, properties(values))?.split(" keeps ")[0];
}

describe("a unit's sandbox", () => {
  it("hides homes by ProtectHome=, but for read-only", () => {
    for (const path of ["/home/me/lib.so", "/root/lib.so", "/run/user/0/lib.so"]) {
      assert.equal(hiding(path, { ProtectHome: "yes" }), "ProtectHome=yes");
      assert.equal(hiding(path, { ProtectHome: "tmpfs" }), "ProtectHome=tmpfs");
      assert.equal(hiding(path, { ProtectHome: "read-only" }), undefined);
      assert.equal(hiding(path, { ProtectHome: "no" }), undefined);
    }
    assert.equal(hiding("/homes/lib.so", { ProtectHome: "yes" }), undefined);
  });

  it("hides temporary directories by PrivateTmp=, which DynamicUser= brings along", () => {
    assert.equal(hiding("/tmp/lib.so", { PrivateTmp: "yes" }), "PrivateTmp=yes");
    assert.equal(hiding("/var/tmp/x/lib.so", { PrivateTmp: "disconnected" }), "PrivateTmp=disconnected");
    assert.equal(hiding("/tmp/lib.so", { PrivateTmp: "no" }), undefined);
  });

  it("hides what it is told to, but not what is bound below it", () => {
    assert.equal(hiding("/opt/x/lib.so", { InaccessiblePaths: "/srv -/opt" }), "InaccessiblePaths=-/opt");
    assert.equal(hiding("/opt/x/lib.so", { TemporaryFileSystem: "/opt:ro" }), "TemporaryFileSystem=/opt:ro");
    assert.equal(hiding("/optional/lib.so", { InaccessiblePaths: "/opt" }), undefined);
    for (const name of ["BindPaths", "BindReadOnlyPaths"])
      assert.equal(
        hiding("/opt/x/lib.so", { TemporaryFileSystem: "/opt", [name]: "-/a:/opt/x:rbind" }),
        undefined,
      );
    assert.notEqual(
      hiding("/opt/x/lib.so", { TemporaryFileSystem: "/opt", BindPaths: "/opt/x:/b" }),
      undefined,
    );
  });

  it("lets nothing be bound below what is inaccessible", () => {
    const below = { BindPaths: "/home/x", BindReadOnlyPaths: "/opt/x" };
    assert.equal(hiding("/home/x/lib.so", { ProtectHome: "yes", ...below }), "ProtectHome=yes");
    assert.equal(hiding("/home/x/lib.so", { ProtectHome: "tmpfs", ...below }), undefined);
    assert.equal(hiding("/opt/x/lib.so", { InaccessiblePaths: "/opt", ...below }), "InaccessiblePaths=/opt");
  });

  it("is named together with what helps", () => {
    const text = (values: Readonly<Record<string, string>>) => hidden("/opt/x.so", properties(values)) ?? "";
    assert.match(
      text({ TemporaryFileSystem: "/opt" }),
      /\/opt\/x\.so.*: BindReadOnlyPaths=\/opt\/x\.so lets it in$/,
    );
    assert.match(text({ InaccessiblePaths: "/opt" }), /elsewhere$/);
    assert.match(text({ NoExecPaths: "/" }), /: ExecPaths=\/opt\/x\.so allows it$/);
  });

  it("hides all by another root, but for what is bound into it", () => {
    assert.equal(hiding("/usr/lib/x.so", { RootDirectory: "/srv" }), "RootDirectory=/srv");
    assert.equal(hiding("/usr/lib/x.so", { RootImage: "/srv.raw" }), "RootImage=/srv.raw");
    assert.equal(hiding("/usr/lib/x.so", { RootDirectory: "/" }), undefined);
    assert.equal(
      hiding("/usr/lib/x.so", { RootDirectory: "/srv", BindReadOnlyPaths: "/usr/lib:/usr/lib:rbind" }),
      undefined,
    );
  });

  it("may let a library be read, but not executed", () => {
    assert.equal(hiding("/opt/x.so", { NoExecPaths: "/", ExecPaths: "/usr" }), "NoExecPaths=/");
    assert.equal(hiding("/usr/lib/x.so", { NoExecPaths: "/", ExecPaths: "/usr" }), undefined);
  });

  it("hides nothing by itself", () => {
    assert.equal(hiding("/tmp/x.so", {}), undefined);
  });
});
