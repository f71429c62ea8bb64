import assert from "node:assert/strict";
import {
  existsSync,
  lstatSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  rmSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, describe, it } from "node:test";
import { checkout } from "../../src/lab/kit/checkout.ts";
import { run } from "../../src/lab/kit/lab-process.ts";
import { requires } from "../../src/lab/kit/requires.ts";
import { debArchitecture, debFile, type Flavour, packagesProblem, version } from "../lab/packages.ts";

/** What a user or another package meets, with its mode. */
const promised = {
  "etc/mptcpd/mptcpd.conf": 0o644,
  "usr/bin/mptcpctl": 0o755,
  "usr/bin/mptcpize": 0o755,
  "usr/lib/mptcpd/dist/mptcpd.js": 0o644,
  "usr/lib/mptcpd/libmptcpwrap.so": 0o644,
  "usr/lib/mptcpd/plugins": 0o755,
  "usr/lib/systemd/system/mptcp.service": 0o644,
  "usr/lib/systemd/system/mptcpd@.service": 0o644,
  "usr/libexec/mptcpd": 0o755,
  "usr/share/bash-completion/completions/mptcpctl": 0o644,
  "usr/share/doc/mptcpd/copyright": 0o644,
  "usr/share/fish/vendor_completions.d/mptcpctl.fish": 0o644,
  "usr/share/man/man5/mptcpd.conf.5.gz": 0o644,
  "usr/share/man/man7/mptcpd-plugins.7.gz": 0o644,
  "usr/share/man/man8/mptcpctl.8.gz": 0o644,
  "usr/share/man/man8/mptcpd.8.gz": 0o644,
  "usr/share/man/man8/mptcpize.8.gz": 0o644,
  "usr/share/zsh/vendor-completions/_mptcpctl": 0o644,
};

for (const flavour of ["node", "nodejs"] as const)
  for (const architecture of ["amd64", "arm64"] as const)
    describe(`the .deb for ${architecture}, ${flavour === "node" ? "with Node" : "for the distribution's Node"}`, {
      skip: packagesProblem(debFile(architecture, flavour)) || requires({ root: true, tools: ["dpkg-deb"] }),
    }, () => {
      const file = debFile(architecture, flavour);
      const root = mkdtempSync(join(tmpdir(), "mptcpd-deb-"));
      const field = async (name: string) => (await run("dpkg-deb", ["--field", file, name])).trim();
      before(() => run("dpkg-deb", ["--raw-extract", file, root]));
      after(() => rmSync(root, { recursive: true }));

      it("has the files where users look for them", () => {
        const found = Object.keys(promised).map((path) => [path, lstatSync(join(root, path)).mode & 0o777]);
        assert.deepEqual(Object.fromEntries(found), promised);
      });

      it("has mptcpd in the PATH of root", () => {
        const path = join(root, "usr/sbin/mptcpd");
        assert.equal(readlinkSync(path), "../libexec/mptcpd");
        assert.equal(realpathSync(path), realpathSync(join(root, "usr/libexec/mptcpd")));
      });

      it("starts its programs by the scripts of bin/ as they are, on the Node beside the programs", () => {
        for (const [name, path] of [
          ["mptcpd", "usr/libexec/mptcpd"],
          ["mptcpctl", "usr/bin/mptcpctl"],
        ] as const)
          assert.equal(
            readFileSync(join(root, path), "utf8"),
            readFileSync(join(checkout, "bin", name), "utf8"),
          );
        const node = join(root, "usr/lib/mptcpd/node");
        if (flavour === "node") assert.ok(lstatSync(node).isFile());
        else assert.equal(readlinkSync(node), "../../bin/node");
      });

      it("has the pages of docs/, whose links lead to others, and the one that the unit names", () => {
        const doc = join(root, "usr/share/doc/mptcpd");
        assert.deepEqual(namesIn(join(doc, "docs")), namesIn(join(checkout, "docs")));
        const pages = readdirSync(doc, { recursive: true, encoding: "utf8" }).filter((name) =>
          name.endsWith(".md"),
        );
        assert.ok(pages.includes("README.md") && pages.includes("CHANGELOG.md"));
        for (const page of pages)
          for (const [, target = ""] of readFileSync(join(doc, page), "utf8").matchAll(
            /\]\((?!https?:)([^)\s#]+)/g,
          ))
            assert.ok(existsSync(join(doc, dirname(page), target)), `${page}: ${target}`);
        const service = readFileSync(join(root, "usr/lib/systemd/system/mptcp.service"), "utf8");
        const [named = ""] = /\/usr\/share\/doc\/\S+/.exec(service) ?? [];
        assert.ok(lstatSync(join(root, named)).isFile(), named);
      });

      it("has all units and settings of the kernel that the sources have", () => {
        for (const [from, to] of directories)
          assert.deepEqual(namesIn(join(root, to)), namesIn(join(checkout, from)));
      });

      it("is for the right machine throughout", async () => {
        const machine = architecture === "amd64" ? "x86-64" : "ARM aarch64";
        const parts = [
          "usr/bin/mptcpize",
          "usr/lib/mptcpd/libmptcpwrap.so",
          "usr/lib/mptcpd/dist/addon.node",
        ];
        if (flavour === "node") parts.push("usr/lib/mptcpd/node");
        for (const part of parts)
          assert.match(await run("file", ["--brief", join(root, part)]), new RegExp(machine));
      });

      it("keeps local changes of mptcpd.conf, and says what it stands in for", async () => {
        assert.equal(readFileSync(join(root, "DEBIAN/conffiles"), "utf8"), "/etc/mptcpd/mptcpd.conf\n");
        const upstream = ["mptcpize", "libmptcpwrap0", "mptcpd-plugins"];
        assert.equal(await field("Conflicts"), upstream.join(", "));
        assert.equal(await field("Replaces"), upstream.join(", "));
        const ours = await field("Version");
        assert.equal(await field("Provides"), upstream.map((name) => `${name} (= ${ours})`).join(", "));
      });

      it("comes after Debian's versions of the C program", async () => {
        const ours = await field("Version");
        assert.ok(ours.startsWith(version));
        await run("dpkg", ["--compare-versions", ours, "gt", "0.13-1"]);
      });

      it("asks for the libraries that its programs are linked with, in versions that Debian 12 has", async () => {
        const depends = await field("Depends");
        const expected =
          flavour === "node"
            ? /^libc6 \(>= 2\.34\), libgcc-s1 \(>= [\d.]+\), libstdc\+\+6 \(>= 7\)$/
            : /^libc6 \(>= 2\.34\), nodejs \(>= 20\.19\)$/;
        assert.match(depends, expected);
      });
    });

const directories = [
  ["packaging/systemd", "usr/lib/systemd/system"],
  ["packaging/sysctl.d", "usr/lib/sysctl.d"],
] as const;

function namesIn(directory: string): string[] {
  return readdirSync(directory).sort();
}

describe("the Node that packages bring", {
  skip: packagesProblem() || requires({ root: true, tools: ["dpkg-deb"] }),
}, () => {
  it("runs, and is of the version that docs/packages.md tells", async (t) => {
    const root = mkdtempSync(join(tmpdir(), "mptcpd-deb-"));
    t.after(() => rmSync(root, { recursive: true }));
    await run("dpkg-deb", ["--extract", debFile(debArchitecture), root]);
    const told = await run(join(root, "usr/lib/mptcpd/node"), ["--version"]);
    const docs = readFileSync(join(checkout, "docs/packages.md"), "utf8");
    assert.ok(docs.includes(`| brings its own, ${told.trim().slice(1)} |`), told);
  });
});

describe("lintian", { skip: packagesProblem() || requires({ root: true, tools: ["lintian"] }) }, () => {
  const flavours: readonly Flavour[] = ["node", "nodejs"];
  for (const flavour of flavours)
    it(`finds no error in ${flavour === "node" ? "the .deb with Node" : "the other"}`, async () => {
      await run("lintian", ["--fail-on=error", "--allow-root", debFile(debArchitecture, flavour)]);
    });
});
