import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { describe, it } from "node:test";
import { checkout } from "../../../src/lab/kit/checkout.ts";

const root = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"];
const docs = readdirSync(join(checkout, "docs"), { encoding: "utf8", recursive: true })
  .filter((name) => name.endsWith(".md"))
  .map((name) => join("docs", name));

describe("links between pages", () => {
  for (const page of [...root, ...docs])
    it(`lead somewhere from ${page}`, () => {
      const broken = linksOf(read(page)).filter((link) => !leadsSomewhere(page, link));
      assert.deepEqual(broken, []);
    });

  it("lead from docs/README.md to every page", () => {
    const linked = linksOf(read("docs/README.md")).map((link) => join("docs", link.replace(/#.*/, "")));
    assert.deepEqual(
      docs.filter((page) => !linked.includes(page) && dirname(page) === "docs" && page !== "docs/README.md"),
      [],
    );
  });
});

function leadsSomewhere(page: string, link: string): boolean {
  if (/^https?:/.test(link)) return true;
  const [path = "", anchor] = link.split("#");
  const target = path === "" ? page : join(dirname(page), path);
  if (relative(".", target).startsWith("..") || !existsSync(join(checkout, target))) return false;
  return anchor === undefined || anchorsOf(read(target)).includes(anchor);
}

function read(page: string): string {
  return readFileSync(join(checkout, page), "utf8");
}

function linksOf(text: string): string[] {
  const prose = withoutCode(text).replaceAll(/`[^`\n]*`/g, "");
  return [...prose.matchAll(/\]\(([^)\s]+)\)/g)].flatMap(([, link]) => (link === undefined ? [] : [link]));
}

/** As GitHub makes them of headings: a second one of the same text gets "-1". */
function anchorsOf(text: string): string[] {
  const seen = new Map<string, number>();
  return [...withoutCode(text).matchAll(/^#+ (.+)$/gm)].map(([, heading = ""]) => {
    const slug = heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N} _-]/gu, "")
      .replaceAll(" ", "-");
    const count = seen.get(slug) ?? 0;
    seen.set(slug, count + 1);
    return count === 0 ? slug : `${slug}-${count}`;
  });
}

function withoutCode(text: string): string {
  return text.replaceAll(/^(`{3,}).*\n[\s\S]*?^\1[^\S\n]*$/gm, "");
}
