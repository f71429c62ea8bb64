// Makes the manual pages from man/*.scd, with scdoc(1):
//   node tools/manual.mjs DIRECTORY      writes mptcpd.8, mptcpd.conf.5 … into it
// The same sources give the same bytes: the date of the pages is that of all files in packages.
import { spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { root, sourceDate } from "./package/files.mjs";

const [directory, ...more] = process.argv.slice(2);
if (directory === undefined || directory === "" || directory.startsWith("-") || more.length > 0)
  fail("usage: node tools/manual.mjs DIRECTORY", 64);

const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
const environment = { ...process.env, SOURCE_DATE_EPOCH: String(sourceDate) };

mkdirSync(directory, { recursive: true });
for (const file of readdirSync(join(root, "man")).sort()) {
  if (!file.endsWith(".scd")) continue;
  const source = readFileSync(join(root, "man", file), "utf8").replace("@version@", version);
  writeFileSync(join(directory, file.replace(/\.scd$/, "")), tidy(scdoc(file, source)));
}

function scdoc(file, input) {
  const { status, stdout, stderr, error } = spawnSync("scdoc", {
    input,
    env: environment,
    encoding: "utf8",
  });
  if (error?.code === "ENOENT") fail("scdoc was not found: install it (Debian: apt install scdoc)");
  if (error) fail(`scdoc: ${error.message}`);
  if (status !== 0) fail(`man/${file}: ${stderr.trim()}`);
  return stdout;
}

/**
 * scdoc begins more paragraphs than it fills, and leaves the title as it is: mandoc(1) warns of both. Its `.nh` does
 * not last: groff's man macros switch hyphenation on again at each heading, as the register HY says.
 */
function tidy(roff) {
  const kept = [];
  let paragraph = false;
  for (const line of roff.split("\n")) {
    const isHeading = /^\.(TH|SH|SS) /.test(line);
    const isText = line !== "" && line !== ".RE" && !isHeading;
    if (line === ".P") {
      // One at the end of an indented part makes room for what follows it.
      paragraph = !/^\.(TH|SH|SS) /.test(kept.at(-1) ?? "");
      continue;
    }
    if (paragraph && isText) kept.push(".P");
    if (isText || isHeading) paragraph = false;
    kept.push(line.startsWith(".") ? line : unbroken(line));
  }
  return kept.join("\n").replace(/^\.TH "([^"]*)"/m, (_, title) => `.nr HY 0\n.TH "${title.toUpperCase()}"`);
}

/**
 * No line ends at the hyphen of a name such as --runtime-dir, which can be copied as it is typed: groff_man_style(7).
 */
function unbroken(line) {
  return line.replace(/(?<![\\'])-(?=\S)|(?<=\S)(?<![\\'])-/g, "\\-");
}

function fail(message, code = 1) {
  console.error(`manual: ${message}`);
  process.exit(code);
}
