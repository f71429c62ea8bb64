// Puts the table of bench/results.json into docs/benchmarks.md:  docs.js RESULTS PAGE
import { readFileSync, writeFileSync } from "node:fs";
import { asMarkdown } from "./report.ts";
import { readResults } from "./results.ts";

const BEGIN = "<!-- results: npm run bench -- --docs -->";
const END = "<!-- end of results -->";

const [results = "", page = ""] = process.argv.slice(2);
const [before, rest] = readFileSync(page, "utf8").split(BEGIN);
const after = rest?.split(END)[1];
if (after === undefined) throw new Error(`${page} has no place for the results: ${BEGIN} … ${END}`);
writeFileSync(page, `${before}${BEGIN}\n${asMarkdown(readResults(results))}\n${END}${after}`);
