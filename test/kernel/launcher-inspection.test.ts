import assert from "node:assert/strict";
import { symlinkSync } from "node:fs";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { requires } from "../../src/lab/kit/requires.ts";
import { elf, foreignMachine, goBuildInformation } from "../lab/elf.ts";
import { type DryRun, dryRun, ending, launcher, openDirectory, writeProgram } from "../lab/launcher.ts";
import { compiled, compiledGo, toolsFor } from "../lab/programs.ts";

const skip = requires({ tools: [...Object.values(toolsFor), "busybox", "python3"] });
/** Any file that is there: it is not executed. */
const loader = "/bin/sh";

describe("the way that mptcpize run picks", { skip }, () => {
  describe("for real programs", () => {
    const programs: readonly (readonly [string, () => Promise<string> | string, string, string])[] = [
      ["glibc, dynamic", () => compiled("sockets", "glibc"), "preload", "dynamically linked, glibc"],
      ["musl, dynamic", () => compiled("sockets", "musl"), "preload", "dynamically linked, musl"],
      ["glibc, static", () => compiled("sockets", "glibc static"), "seccomp", "statically linked"],
      ["musl, static", () => compiled("sockets", "musl static"), "seccomp", "statically linked"],
      ["busybox", () => "busybox", "seccomp", "statically linked"],
      ["python", () => "/usr/bin/python3", "preload", "dynamically linked, glibc"],
      [
        "Go 1.19, static",
        () => compiledGo("network", { cgo: false }),
        "seccomp",
        "Go 1.19, which has no MPTCP",
      ],
      [
        "Go 1.19, dynamic",
        () => compiledGo("network", { cgo: true }),
        "seccomp",
        "Go 1.19, which has no MPTCP",
      ],
    ];
    for (const [name, path, way, why] of programs) {
      it(`${name}: ${way}`, async () => {
        const said = dryRun(await path());
        assert.deepEqual([said.get("way"), said.get("why")], [[way], [why]]);
      });
    }
  });

  describe("for Go", () => {
    const versions: readonly (readonly [string, string, string])[] = [
      ["go1.20.14", "seccomp", "Go 1.20, which has no MPTCP"],
      ["go1.21.0", "go", "Go 1.21"],
      ["go1.21rc1", "go", "Go 1.21"],
      ["go1.24.3 X:boringcrypto", "go", "Go 1.24"],
      ["devel go1.26-5f7e3e9 Mon Jan 5 2026", "go", "Go 1.26"],
      ["devel +5f7e3e9 Mon Jan 5 2015", "seccomp", "Go of unknown version"],
      ["", "seccomp", "Go of unknown version"],
    ];
    for (const [version, way, why] of versions) {
      it(`of version "${version}": ${way}`, (t) => {
        const sections = { ".text": Buffer.alloc(9), ".go.buildinfo": goBuildInformation(version) };
        for (const linkage of [{}, { loader }]) {
          const said = lookAt(t, elf({ sections, ...linkage }));
          assert.deepEqual([said.get("way"), said.get("why")], [[way], [why]]);
        }
      });
    }

    it("whose build information was left out, which its other sections tell", (t) => {
      const said = lookAt(t, elf({ sections: { ".gopclntab": Buffer.alloc(8) }, loader }));
      assert.deepEqual([said.get("way"), said.get("why")], [["seccomp"], ["Go of unknown version"]]);
    });

    it("before 1.18, whose build information has another form", (t) => {
      const information = goBuildInformation("go1.21.0");
      information.writeUInt8(0, 15);
      const said = lookAt(t, elf({ sections: { ".go.buildinfo": information } }));
      assert.deepEqual(said.get("why"), ["Go of unknown version"]);
    });
  });

  describe("for what neither the library nor the filter is for: none, and it runs as TCP", () => {
    const foreign = { "another machine": { machine: foreignMachine }, "32 bits": { class: 1 } };
    for (const [name, options] of Object.entries(foreign)) {
      it(name, (t) => {
        const said = lookAt(t, elf({ ...options, loader }));
        assert.deepEqual([said.get("way"), said.get("why")], [["none"], ["for another architecture"]]);
        assert.equal(said.get("set"), undefined);
        assert.match(said.get("warning")?.[0] ?? "", /for its architecture, it runs as TCP$/);
      });
    }
  });

  it("is the one for dynamic programs where a file may be executed but not read", (t) => {
    const path = writeProgram(join(openDirectory(t), "unreadable"), elf({}), 0o711);
    const asNobody = ["--reuid=65534", "--regid=65534", "--clear-groups", launcher, "run", "--dry-run", path];
    assert.match(ending("setpriv", asNobody).stdout, /^way: preload\n.*\nwhy: not readable/);
  });

  describe("for a script is its interpreter's", () => {
    it("as #! names it, relative to the current directory too", (t) => {
      const directory = openDirectory(t);
      writeProgram(join(directory, "static"), elf({}));
      for (const line of ["#!./static", "#! \t ./static -x y \t", "#!./static\t-x"]) {
        const path = writeProgram(join(directory, "script"), `${line}\n`);
        const said = dryRun(path, { cwd: directory });
        assert.deepEqual(said.get("program"), ["./static"], line);
        assert.deepEqual(said.get("why"), ["script of ./static, statically linked"]);
        assert.deepEqual(said.get("way"), ["seccomp"]);
      }
    });

    it("through links and through interpreters that are scripts", (t) => {
      const directory = openDirectory(t);
      writeProgram(join(directory, "static"), elf({}));
      symlinkSync("static", join(directory, "link"));
      writeProgram(join(directory, "inner"), `#!${directory}/link\n`);
      const said = dryRun(writeProgram(join(directory, "outer"), `#!${directory}/inner\n`));
      assert.deepEqual(said.get("way"), ["seccomp"]);
      assert.deepEqual(said.get("program"), [`${directory}/link`]);
    });

    it("as deep as the kernel goes, and no deeper", (t) => {
      const directory = openDirectory(t);
      symlinkSync("/bin/true", join(directory, "script0"));
      for (let depth = 1; depth <= 6; depth++)
        writeProgram(join(directory, `script${depth}`), `#!${directory}/script${depth - 1}\n`);
      assert.equal(ending(join(directory, "script5"), []).code, 0);
      assert.equal(ending(launcher, ["run", "--dry-run", join(directory, "script5")]).code, 0);
      assert.throws(() => ending(join(directory, "script6"), []), { code: "ELOOP" });
      for (const options of [[], ["--dry-run"]]) {
        const { code, stderr } = ending(launcher, ["run", ...options, join(directory, "script6")]);
        assert.equal(code, 126);
        assert.match(stderr, /^mptcpize: .*script6: .*Too many levels of symbolic links\n$/);
      }
    });

    it("that env(1) finds in the PATH", (t) => {
      const directory = openDirectory(t);
      writeProgram(join(directory, "static"), elf({}));
      const env = { PATH: `${directory}:/usr/bin:/bin` };
      const lines = [
        "#!/usr/bin/env static",
        "#!/usr/bin/env -S static -x",
        "#!/usr/bin/env -Sstatic",
        "#!/usr/bin/env -S A=1 B=2 static",
        "#!/usr/bin/env -vS -u static static",
        "#!/usr/bin/env --split-string=-C / static",
      ];
      for (const line of lines) {
        const said = dryRun(writeProgram(join(directory, "script"), `${line}\n`), { env });
        assert.deepEqual(said.get("program"), [join(directory, "static")], line);
      }
    });

    it("or env(1) itself, which will say that it did not find it", (t) => {
      const said = lookAt(t, "#!/usr/bin/env no-such-program\n");
      assert.deepEqual(said.get("program"), ["/usr/bin/env"]);
    });

    it("and the one that needs no variables where env(1) drops them", (t) => {
      for (const option of ["-S -i", "-S -", "-S --ignore-environment", "-iS", "-viS"]) {
        const said = lookAt(t, `#!/usr/bin/env ${option} PATH=/bin sh\n`);
        assert.deepEqual(said.get("way"), ["seccomp"], option);
        assert.match(said.get("why")?.[0] ?? "", /^script of .*\/sh, .*drops all variables$/);
      }
    });

    it("and the shell's where it names none, as execvp(3) has it", (t) => {
      for (const content of ["", "exit 0\n", "#!", "#! \n", `#!/${"x".repeat(300)}\n`]) {
        const said = lookAt(t, content);
        assert.deepEqual(said.get("program"), ["/bin/sh"], JSON.stringify(content));
      }
    });
  });

  it("is shown with the file that was looked at, found in the PATH", () => {
    assert.match(dryRun("true").get("program")?.[0] ?? "", /^\/.*\/true$/);
  });
});

function lookAt(t: TestContext, content: string | Uint8Array): DryRun {
  return dryRun(writeProgram(join(openDirectory(t), "program"), content));
}
