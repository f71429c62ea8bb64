// The package of Fedora, RHEL and their kin, made by rpmbuild.
import { copyFileSync, lstatSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { licenseOfNode, licenses, maintainer, oldestNode, version } from "./documents.mjs";
import { compression, put, root, settle, sizeOf, sourceDate, walk } from "./files.mjs";
import { putSelinuxModule } from "./selinux.mjs";
import { runTool } from "./tool.mjs";
import { stage } from "./tree.mjs";

/** Writes the package into a directory, with `work` for what lies between; its path and the bytes that it installs. */
export function buildRpm({ machine, nodejs, output, work }) {
  const tree = join(work, "tree");
  const release = nodejs ? "1.nodejs" : "1";
  stage(tree, { machine, kind: "rpm", nodejs });
  put(join(tree, "usr/share/licenses/mptcpd/LICENSE"), licenses());
  if (!nodejs) put(join(tree, "usr/share/licenses/mptcpd/LICENSE.nodejs"), licenseOfNode());
  putSelinuxModule(join(tree, "usr/share/selinux/packages/targeted/mptcpd_node.pp"));
  settle(tree);
  const values = {
    version,
    release,
    maintainer,
    license: `BSD-3-Clause AND MIT${nodejs ? "" : " AND Apache-2.0 AND BSD-2-Clause AND ISC AND Unicode-3.0 AND Zlib"}`,
    // Fedora and RHEL count epochs of it.
    requires: nodejs ? `Requires: nodejs >= 1:${oldestNode}` : "",
    tree,
    files: fileList(tree).join("\n"),
  };
  const spec = join(work, "mptcpd.spec");
  put(
    spec,
    readFileSync(join(root, "packaging/rpm/mptcpd.spec"), "utf8").replace(
      /@(\w+)@/g,
      (_, name) => values[name],
    ),
  );
  rpmbuild(spec, machine, work);
  const directory = join(work, "RPMS", machine.rpm);
  const [name] = readdirSync(directory);
  const path = join(output, name);
  copyFileSync(join(directory, name), path);
  return { path, installed: sizeOf(tree) };
}

function rpmbuild(spec, machine, work) {
  const macros = {
    _topdir: work,
    _binary_payload: `w${compression(19)}.zstdio`,
    _buildhost: "reproducible",
    use_source_date_epoch_as_buildtime: "1",
    clamp_mtime_to_source_date_epoch: "1",
  };
  const defines = Object.entries(macros).flatMap(([name, value]) => ["--define", `${name} ${value}`]);
  const env = { ...process.env, SOURCE_DATE_EPOCH: String(sourceDate) };
  const args = ["-bb", "--quiet", `--target=${machine.rpm}-linux`, ...defines, spec];
  try {
    runTool("rpmbuild", args, "rpm", { stdio: ["ignore", "ignore", "pipe"], env });
  } catch (error) {
    throw error.stderr === undefined ? error : new Error(`rpmbuild failed:\n${error.stderr}`);
  }
}

/** Directories that other packages have, too. */
const shared = [
  /^(?:etc|usr|usr\/(?:bin|lib|lib64|libexec|sbin|share))$/,
  /^usr\/lib\/(?:systemd|sysctl\.d)(?:\/|$)/,
  /^usr\/share\/(?:doc|licenses|man|selinux|bash-completion|zsh|fish)(?:\/(?!mptcpd(?:\/|$)).*)?$/,
];

/** Lines of %files. */
function fileList(tree) {
  return walk(tree).flatMap((name) => {
    const status = lstatSync(join(tree, name));
    if (status.isDirectory())
      return shared.some((path) => path.test(name)) ? [] : `%dir %attr(0755,root,root) /${name}`;
    if (status.isSymbolicLink()) return `/${name}`;
    const mode = (status.mode & 0o777).toString(8).padStart(4, "0");
    return `${kindOf(name)}%attr(${mode},root,root) /${name}`;
  });
}

function kindOf(name) {
  if (name.startsWith("etc/")) return "%config(noreplace) ";
  if (name.startsWith("usr/share/licenses/")) return "%license ";
  return /^usr\/share\/(?:doc|man)\//.test(name) ? "%doc " : "";
}
