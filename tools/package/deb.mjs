// The package of Debian and Ubuntu, made by dpkg-deb.
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { licenseOfNode, licenses, maintainer, oldestNode, version } from "./documents.mjs";
import { elfFiles, needsOf } from "./elf.mjs";
import { compressed, compression, isFile, put, root, settle, sizeOf, sourceDate, walk } from "./files.mjs";
import { runTool } from "./tool.mjs";
import { stage } from "./tree.mjs";

/** Writes the package into a directory, with `work` for what lies between; its path and the bytes that it installs. */
export function buildDeb({ machine, nodejs, output, work }) {
  const tree = join(work, "tree");
  const debVersion = `${version}-1${nodejs ? "+nodejs" : ""}`;
  stage(tree, { machine, kind: "deb", nodejs });
  putDocuments(join(tree, "usr/share/doc/mptcpd"), debVersion, nodejs);
  put(join(tree, "usr/share/lintian/overrides/mptcpd"), readPackaging("lintian-overrides"));
  settle(tree);
  const installed = sizeOf(tree);
  const values = {
    version: debVersion,
    architecture: machine.deb,
    maintainer,
    size: String(Math.ceil(installed / 1024)),
    depends: dependencies(tree, nodejs).join(", "),
  };
  putControl(tree, values);
  settle(tree);
  const path = join(output, `mptcpd_${debVersion}_${machine.deb}.deb`);
  // What is older than 1.21.18 does not know zstd.
  const options = ["--root-owner-group", "--uniform-compression", "-Zxz", `-z${compression(6)}`];
  const env = { ...process.env, SOURCE_DATE_EPOCH: String(sourceDate) };
  runTool("dpkg-deb", [...options, "--build", tree, path], "dpkg", { env });
  return { path, installed };
}

function putDocuments(directory, debVersion, nodejs) {
  const texts = [commonLicenses, licenses(), ...(nodejs ? [] : [licenseOfNode()])];
  put(join(directory, "copyright"), texts.join(`\n${"=".repeat(72)}\n\n`));
  put(join(directory, "changelog.gz"), compressed(readFileSync(join(root, "CHANGELOG.md"))));
  put(join(directory, "changelog.Debian.gz"), compressed(debianChangelog(debVersion)));
}

const commonLicenses = `Of what follows, Debian has the texts of the Apache License in
/usr/share/common-licenses/Apache-2.0 and of the GNU General Public Licenses in
/usr/share/common-licenses/GPL-2 and GPL-3.
`;

function debianChangelog(debVersion) {
  const date = new Date(sourceDate * 1000).toUTCString().replace("GMT", "+0000");
  return `mptcpd (${debVersion}) unstable; urgency=medium\n\n  * See changelog.gz.\n\n -- ${maintainer}  ${date}\n`;
}

function putControl(tree, values) {
  const control = readPackaging("control").replace(/@(\w+)@/g, (_, name) => values[name]);
  put(join(tree, "DEBIAN/control"), control);
  for (const name of ["preinst", "postinst", "prerm", "postrm"])
    put(join(tree, "DEBIAN", name), readPackaging(name), 0o755);
  const files = walk(tree).filter((name) => isFile(join(tree, name)) && !name.startsWith("DEBIAN/"));
  put(
    join(tree, "DEBIAN/conffiles"),
    lines(files.filter((name) => name.startsWith("etc/")).map((name) => `/${name}`)),
  );
  const sums = files
    .filter((name) => !name.startsWith("etc/"))
    .map((name) => `${md5(join(tree, name))}  ${name}`);
  put(join(tree, "DEBIAN/md5sums"), lines(sums));
}

function lines(texts) {
  return texts.map((text) => `${text}\n`).join("");
}

function md5(path) {
  return createHash("md5").update(readFileSync(path)).digest("hex");
}

function readPackaging(name) {
  return readFileSync(join(root, "packaging/debian", name), "utf8");
}

/** The packages that the programs need, in the oldest versions that have all symbols. */
function dependencies(tree, nodejs) {
  const needs = needsOf(elfFiles(tree).map((name) => join(tree, name)));
  const packages = new Map();
  for (const [library, symbols] of needs) {
    const [name, oldest] = packageOf(library, [...symbols]);
    const known = packages.get(name);
    if (known === undefined || isOlder(known, oldest)) packages.set(name, oldest);
  }
  const libraries = [...packages].map(([name, oldest]) => `${name} (>= ${oldest})`);
  return [...libraries.sort(), ...(nodejs ? [`nodejs (>= ${oldestNode})`] : [])];
}

/** The parts of glibc are one package. */
const glibc = /^(?:lib(?:c|m|dl|pthread|rt)\.so\.\d|ld-linux-.*)$/;

/** GCC's version by the newest version of its library's symbols (libstdc++'s manual, "ABI Policy and Guidelines"). */
const gccOf = { "GLIBCXX_3.4.21": "5.1", "CXXABI_1.3.11": "7" };

function packageOf(library, symbols) {
  if (glibc.test(library)) return ["libc6", newest(symbols, "GLIBC_")];
  if (library === "libgcc_s.so.1") return ["libgcc-s1", newest(symbols, "GCC_")];
  if (library === "libstdc++.so.6") return ["libstdc++6", compilerOf(symbols)];
  throw new Error(`${library} is needed: say in tools/package/deb.mjs which package has it`);
}

function compilerOf(symbols) {
  return ["GLIBCXX_", "CXXABI_"]
    .map((prefix) => `${prefix}${newest(symbols, prefix)}`)
    .map(
      (symbol) => gccOf[symbol] ?? fail(`${symbol} is needed: say in tools/package/deb.mjs which GCC has it`),
    )
    .reduce((known, next) => (isOlder(known, next) ? next : known));
}

function newest(symbols, prefix) {
  const versions = symbols
    .filter((symbol) => symbol.startsWith(prefix))
    .map((symbol) => symbol.slice(prefix.length));
  return versions.reduce((known, next) => (isOlder(known, next) ? next : known), "0");
}

function isOlder(one, other) {
  return one.localeCompare(other, "en", { numeric: true }) < 0;
}

function fail(message) {
  throw new Error(message);
}
