// Puts bench/results.json into docs/benchmarks.md and its pictures:  docs.js RESULTS PAGE PICTURES
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { picturesOf, renewPage } from "./page.ts";
import { readResults } from "./results.ts";

const [results = "", page = "", pictures = ""] = process.argv.slice(2);
const read = readResults(results);
writeFileSync(page, renewPage(readFileSync(page, "utf8"), read));
mkdirSync(pictures, { recursive: true });
for (const [name, picture] of picturesOf(read)) writeFileSync(join(pictures, name), picture);
