// A virtual machine with a kernel of our choice: its root is the host's, read-only by virtiofs, under a layer in
// memory.
import { execFileSync, spawn } from "node:child_process";
import {
  chmodSync,
  closeSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { imageOf, modulesOf } from "./vm-kernels.mjs";

/** Where Debian has it: qemu-system-common until bookworm, a package of its own since. */
const virtiofsd = ["/usr/lib/qemu/virtiofsd", "/usr/libexec/virtiofsd"].find(existsSync);

/** The programs that this takes, by package of Debian. */
export const tools = {
  "qemu-system-x86": "qemu-system-x86_64",
  virtiofsd: virtiofsd ?? "virtiofsd",
  "busybox-static": "busybox",
  cpio: "cpio",
  kmod: "depmod",
  "xz-utils": "xz",
};

const memory = "3G";
const timeoutMs = 30 * 60 * 1000;
/** What the kernel needs before it sees the root; some have it built in. */
const earlyModules = ["virtio_pci", "virtiofs", "overlay"];

/**
 * Boots, runs a shell command in `directory` and ends. What the command writes goes to our standard output.
 * With `systemd` that is the first process, and the command runs when it has started everything.
 *
 * @returns { status, results }: the command's exit status, undefined if there was none; what it wrote into $VM_RESULTS
 */
export async function runInMachine(
  kernel,
  command,
  { directory, systemd = false, accelerator = "tcg,thread=multi" },
) {
  const scratch = mkdtempSync(join(tmpdir(), "mptcpd-vm-"));
  const file = (name) => join(scratch, name);
  const children = [];
  const tidyUp = () => {
    for (const child of children) child.kill("SIGKILL");
    rmSync(scratch, { recursive: true, force: true });
  };
  process.on("exit", tidyUp);
  try {
    makeInitrd(file("initrd"), kernel, systemd, wrap(command, directory));
    children.push(await shareRoot(file));
    const qemu = startQemu(kernel, { file, accelerator });
    children.push(qemu);
    const timer = setTimeout(() => qemu.kill("SIGKILL"), timeoutMs);
    await new Promise((resolve) => qemu.on("close", resolve));
    clearTimeout(timer);
    const status = readFileSync(file("status"), "utf8").trim();
    if (status === "")
      console.error(readFileSync(file("kernel-log"), "utf8").split("\n").slice(-20).join("\n"));
    return {
      status: status === "" ? undefined : Number(status),
      results: readFileSync(file("results"), "utf8").replaceAll("\r", ""),
    };
  } finally {
    tidyUp();
    process.off("exit", tidyUp);
  }
}

/** What runs in the machine. Its serial lines are: output, results, exit status, kernel's log. */
function wrap(command, directory) {
  return `exec </dev/null >/dev/ttyS0 2>&1
stty -F /dev/ttyS0 -opost
ip link set lo up
export HOME=${process.env.HOME} PATH=${process.env.PATH} VM_RESULTS=/tmp/vm-results MPTCPD_TEST_SLOWNESS=6
cd ${directory}
( ${command} )
status=$?
cat $VM_RESULTS >/dev/ttyS1
echo $status >/dev/ttyS2
# A terminal that is closed has sent everything.
exec >/dev/null 2>&1
echo o >/proc/sysrq-trigger
exec sleep 60
`;
}

function makeInitrd(path, kernel, systemd, command) {
  const tree = `${path}.tree`;
  for (const directory of ["bin", "modules"]) mkdirSync(join(tree, directory), { recursive: true });
  copyFileSync(findBusybox(), join(tree, "bin/busybox"));
  copyFileSync(join(import.meta.dirname, "vm-init.sh"), join(tree, "init"));
  chmodSync(join(tree, "init"), 0o755);
  writeFileSync(join(tree, "vm-command"), command);
  const settings = { KERNEL: kernel.version, MODULES: modulesOf(kernel), SYSTEMD: systemd ? "yes" : "no" };
  writeFileSync(
    join(tree, "settings"),
    Object.entries(settings)
      .map(([name, value]) => `${name}='${value}'\n`)
      .join(""),
  );
  writeFileSync(join(tree, "modules.order"), copyModules(modulesOf(kernel), join(tree, "modules")));
  execFileSync("sh", ["-c", `cd "$1" && find . | cpio -o -H newc --quiet >"$2"`, "sh", tree, path]);
}

function findBusybox() {
  return execFileSync("sh", ["-c", "command -v busybox"], { encoding: "utf8" }).trim();
}

/** The names of the modules in the order in which they can be loaded, a line each. */
function copyModules(from, to) {
  // "kernel/fs/fuse/virtiofs.ko.xz: kernel/fs/fuse/fuse.ko.xz": what is needed comes after, the deepest last.
  const dependencies = new Map(
    readFileSync(join(from, "modules.dep"), "utf8")
      .split("\n")
      .map((line) => line.split(": ", 2))
      .map(([path, needed = ""]) => [path.replace(/:$/, ""), needed.split(" ").filter(Boolean)]),
  );
  const paths = new Set();
  for (const [path, needed] of dependencies) {
    if (!earlyModules.includes(basename(path).replace(/\.ko.*/, ""))) continue;
    for (const each of [...needed.toReversed(), path]) paths.add(each);
  }
  return [...paths]
    .map((path) => {
      const name = basename(path).replace(/\.xz$/, "");
      const module = path.endsWith(".xz")
        ? execFileSync("xz", ["-dc", join(from, path)], { maxBuffer: 64 << 20 })
        : readFileSync(join(from, path));
      writeFileSync(join(to, name), module);
      return `${name}\n`;
    })
    .join("");
}

/** A read-only view of the host's root, in a mount namespace that ends with the server. */
async function shareRoot(file) {
  const directory = file("root");
  const socket = file("socket");
  mkdirSync(directory);
  const script = `mount --bind / "$1" && mount -o remount,ro,bind "$1" && exec "$3" -f --socket-path="$2" \
    -o source="$1" -o sandbox=chroot -o cache=always -o log_level=err`;
  const args = [
    "--mount",
    "--propagation",
    "private",
    "sh",
    "-c",
    script,
    "sh",
    directory,
    socket,
    virtiofsd,
  ];
  // It complains whenever a machine ends.
  const log = openSync(file("virtiofsd-log"), "w");
  const server = spawnBound("unshare", args, ["ignore", log, log]);
  closeSync(log);
  while (!existsSync(socket)) {
    if (server.exitCode !== null)
      throw new Error(`virtiofsd: ${readFileSync(file("virtiofsd-log"), "utf8")}`);
    await delay(20);
  }
  return server;
}

function startQemu(kernel, { file, accelerator }) {
  const serial = (id, backend) => ["-chardev", `${backend},id=${id}`, "-serial", `chardev:${id}`];
  return spawnBound(
    "qemu-system-x86_64",
    [
      ...["-accel", accelerator, "-machine", "q35", "-cpu", "max", "-smp", "2", "-m", memory],
      ...["-nodefaults", "-no-user-config", "-no-reboot", "-display", "none"],
      ...["-object", `memory-backend-memfd,id=memory,size=${memory},share=on`, "-numa", "node,memdev=memory"],
      ...["-chardev", `socket,id=share,path=${file("socket")}`],
      ...["-device", "vhost-user-fs-pci,chardev=share,tag=root,queue-size=1024"],
      ...serial("output", "stdio,signal=off"),
      ...serial("results", `file,path=${file("results")}`),
      ...serial("status", `file,path=${file("status")}`),
      ...serial("log", `file,path=${file("kernel-log")}`),
      ...["-kernel", imageOf(kernel), "-initrd", file("initrd")],
      ...["-append", "console=ttyS3 panic=-1 quiet"],
    ],
    ["ignore", "inherit", "inherit"],
  );
}

/** The death signal ends it even when this process is killed without a chance to tidy up. */
function spawnBound(command, args, stdio) {
  return spawn("setpriv", ["--pdeathsig", "KILL", command, ...args], { stdio });
}
