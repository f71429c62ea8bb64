// What is installed, as the .deb and the .rpm have it.
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, extname, join, relative } from "node:path";
import { compressed, link, put, root, settle } from "./files.mjs";
import { putPages } from "./pages.mjs";
import { putBundles, putNative, putNode, putStarter } from "./programs.mjs";

/** Everything of ours that is nobody else's business. */
export const privateDirectory = "/usr/lib/mptcpd";

/** Debian's and Fedora's. */
const distributionNode = "/usr/bin/node";

/** The places in which distributions differ. */
const places = {
  deb: {
    libraries: (machine) => `usr/lib/${machine.triplet}`,
    zsh: "usr/share/zsh/vendor-completions",
  },
  rpm: { libraries: () => "usr/lib64", zsh: "usr/share/zsh/site-functions" },
};

/**
 * Writes the tree into a directory, which is empty or not there.
 * @param options { machine, kind: "deb" or "rpm", nodejs: whether the distribution's Node is used }
 */
export function stage(directory, { machine, kind, nodejs }) {
  const at = (path) => join(directory, path);
  const node = `${privateDirectory}/node`;
  const bundles = `${privateDirectory}/dist`;
  const preload = `${privateDirectory}/libmptcpwrap.so`;

  putBundles(at(bundles));
  putNative("addon.node", at(`${bundles}/addon.node`), machine);
  putNative("libmptcpwrap.so", at(preload), machine);
  putNative("mptcpize", at("usr/bin/mptcpize"), machine, {
    MPTCPIZE_PRELOAD: preload,
    MPTCPIZE_SCRIPT: `${bundles}/mptcpize.js`,
    MPTCPIZE_NODE: nodejs ? distributionNode : node,
  });
  // The starters take the Node that lies here, whosever it is.
  if (nodejs) link(at(node), relative(privateDirectory, distributionNode));
  else putNode(at(node), machine);
  putStarter("mptcpd", at("usr/libexec/mptcpd"));
  // libexec is in nobody's PATH.
  link(at("usr/sbin/mptcpd"), "../libexec/mptcpd");
  putStarter("mptcpctl", at("usr/bin/mptcpctl"));
  // Units that the C mptcpize has changed name its library, and go on working.
  const upstream = at(`${places[kind].libraries(machine)}/mptcpize/libmptcpwrap.so.0.0.1`);
  link(upstream, relative(dirname(upstream), at(preload)));
  mkdirSync(at(`${privateDirectory}/plugins`), { recursive: true });
  for (const name of ["adopt-upstream", "disable-services"])
    put(at(`${privateDirectory}/${name}`), readFileSync(join(root, "packaging", name)), 0o755);

  put(at("etc/mptcpd/mptcpd.conf"), readFileSync(join(root, "packaging/mptcpd.conf")));
  copyAll("packaging/systemd", at("usr/lib/systemd/system"));
  copyAll("packaging/sysctl.d", at("usr/lib/sysctl.d"));
  putPages(at("usr/share/doc/mptcpd"));
  putManual(at("usr/share/man"));
  putCompletions(at, places[kind]);
  settle(directory);
}

function copyAll(from, to) {
  for (const name of readdirSync(join(root, from))) put(join(to, name), readFileSync(join(root, from, name)));
}

function putManual(directory) {
  made("tools/manual.mjs", (pages) => {
    for (const name of readdirSync(pages))
      put(
        join(directory, `man${extname(name).slice(1)}`, `${name}.gz`),
        compressed(readFileSync(join(pages, name))),
      );
  });
}

function putCompletions(at, { zsh }) {
  const directories = {
    bash: "usr/share/bash-completion/completions",
    zsh,
    fish: "usr/share/fish/vendor_completions.d",
  };
  made("tools/completions.mjs", (files) => {
    for (const [shell, directory] of Object.entries(directories))
      for (const name of readdirSync(join(files, shell)))
        put(join(at(directory), name), readFileSync(join(files, shell, name)));
  });
}

/** Runs a tool that writes files into a directory. */
function made(tool, use) {
  const directory = mkdtempSync(join(tmpdir(), "mptcpd-package-"));
  try {
    const { status } = spawnSync(process.execPath, [join(root, tool), directory], {
      stdio: ["ignore", "ignore", "inherit"],
    });
    // It has said why.
    if (status !== 0) throw new Error(`${tool} failed`);
    use(directory);
  } finally {
    rmSync(directory, { recursive: true });
  }
}
