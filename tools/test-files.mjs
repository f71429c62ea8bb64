// Which test files there are, and which of them the arguments of `npm test` choose.
import { readdirSync } from "node:fs";
import { basename, join, relative, resolve, sep } from "node:path";

/** The directories below test/ whose files `npm test` runs. */
export const groups = ["unit", "kernel", "system"];

/** Words in the names of the files that test the parts in C. */
const partsInC = ["addon", "launcher", "preload", "bpf"];

/**
 * The compiled test files that some words choose, relative to the checkout, in the order in which they run. A word is a
 * group, a path of a test file or of a directory, or a part of a file's name.
 * @param words the arguments of `npm test`
 * @param root the checkout, which has been built
 * @param directory where the user is: relative paths may begin there or at the checkout
 * @param usual the groups that no word chooses
 * @param asan choose only those that test the parts in C
 * @throws Error that names the word which chooses nothing
 */
export function chooseTests(words, { root, directory = root, usual = groups, asan = false }) {
  const paths = words.filter(isPath);
  const chosenGroups = words.length === 0 ? usual : groups.filter((group) => words.includes(group));
  const parts = words.filter((word) => !isPath(word) && !groups.includes(word));
  const all = groups.flatMap((group) => testFiles(root, group));
  const inGroups = chosenGroups.length > 0 ? chosenGroups.flatMap((group) => testFiles(root, group)) : all;

  const wanted = new Set(paths.flatMap((path) => atPath(path, all, { root, directory })));
  for (const part of parts) addAll(wanted, withPart(part, inGroups, chosenGroups));
  if (parts.length === 0 && (paths.length === 0 || chosenGroups.length > 0)) addAll(wanted, inGroups);
  return all.filter((file) => wanted.has(file) && (!asan || partsInC.some((part) => hasPart(file, part))));
}

function testFiles(root, group) {
  const directory = join("build/test", group);
  const names = readdirSync(join(root, directory), { recursive: true });
  return names
    .filter((name) => name.endsWith(".test.js"))
    .sort()
    .map((name) => join(directory, name));
}

/** Whether a file tests the addon, which Node loads, rather than programs in C. */
export function isOfAddon(file) {
  return !["launcher", "preload"].some((part) => hasPart(file, part));
}

function isPath(word) {
  return word.includes("/") || /\.test\.[jt]s\b/.test(word);
}

function hasPart(file, part) {
  return basename(file).includes(part);
}

function withPart(part, files, inGroups) {
  const found = files.filter((file) => hasPart(file, part));
  const where = inGroups.length > 0 ? ` of the group ${inGroups.join(" or ")}` : "";
  if (found.length === 0) throw new Error(`no test file${where} has ${part} in its name`);
  return found;
}

/** Where a test failed ends with ":LINE:COLUMN". A source stands for what it was compiled to. */
function atPath(word, files, { root, directory }) {
  const path = word.replace(/(:\d+){1,2}$/, "");
  for (const start of [directory, root]) {
    const source = relative(root, resolve(start, path)).replace(/\.ts$/, ".js");
    const compiled = source.startsWith(`build${sep}`) ? source : join("build", source);
    const found = files.filter((file) => file === compiled || file.startsWith(`${compiled}${sep}`));
    if (found.length > 0) return found;
  }
  const why = /(^|\/)test\/vm(\/|$)/.test(path)
    ? "`npm run test:vm` runs those"
    : "there is no such test file";
  throw new Error(`${word}: ${why}`);
}

function addAll(set, values) {
  for (const value of values) set.add(value);
}
