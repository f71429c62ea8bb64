import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";

/** A declaration by the file that it is in. */
interface Place {
  readonly file: string;
  readonly name: string;
}

interface Declarations {
  readonly texts: ReadonlyMap<string, string>;
  /** By the local name: from where, and as what. */
  readonly imports: ReadonlyMap<string, { readonly name: string; readonly from: string }>;
  readonly reexports: ReadonlyMap<string, { readonly name: string; readonly from: string }>;
  readonly all: readonly string[];
}

/** Of these an exported type is made, and whole without them (`Pick<Config, …>`, the parts of codecs). */
const transparent = new Set(["Brand", "Config", "IdentifiedAddress", "Codec", "Input", "RecordParts"]);

/**
 * The types that declarations of an entry point mention and the entry point does not export: "Bits (Link, Address)".
 */
export function unexportedTypes(entry: string): string[] {
  const exported = exportsOf(entry);
  const known = new Set([...exported.values()].map(keyOf));
  const missing = new Map<string, string[]>();
  for (const [name, place] of exported) {
    const { texts } = read(place.file);
    for (const mentioned of typesIn(texts.get(place.name) ?? "", place.file))
      if (!known.has(keyOf(mentioned)) && !transparent.has(mentioned.name))
        missing.set(mentioned.name, [...(missing.get(mentioned.name) ?? []), name]);
  }
  return [...missing].map(([name, users]) => `${name} (${users.join(", ")})`);
}

/**
 * The types and classes of this project that a declaration mentions; values (`typeof schema`) are shown as what they
 * are.
 */
function typesIn(text: string, file: string): Place[] {
  const words = new Set(text.replace(/"[^"]*"/g, "").match(/\b[A-Za-z]\w*\b/g) ?? []);
  return [...words].flatMap((word) => {
    const { texts, imports } = read(file);
    const place = texts.has(word) || imports.has(word) ? find(file, word) : undefined;
    const declaration = place && read(place.file).texts.get(place.name);
    return place !== undefined &&
      /^(export )?(declare )?(abstract )?(type|interface|class) /.test(declaration ?? "")
      ? place
      : [];
  });
}

function exportsOf(file: string): Map<string, Place> {
  const { texts, reexports, all } = read(file);
  const found = new Map<string, Place>();
  for (const from of all) for (const [name, place] of exportsOf(from)) found.set(name, place);
  for (const [name, { name: there, from }] of reexports) {
    const place = find(from, there);
    if (place !== undefined) found.set(name, place);
  }
  for (const [name, text] of texts) if (text.startsWith("export ")) found.set(name, { file, name });
  return found;
}

function find(file: string, name: string): Place | undefined {
  const { texts, imports, reexports, all } = read(file);
  if (texts.has(name)) return { file, name };
  const elsewhere = imports.get(name) ?? reexports.get(name);
  if (elsewhere !== undefined) return find(elsewhere.from, elsewhere.name);
  return all.map((from) => find(from, name)).find((place) => place !== undefined);
}

function keyOf({ file, name }: Place): string {
  return `${file} ${name}`;
}

const files = new Map<string, Declarations>();

/** A declaration file of tsc, statement by statement. What comes with other packages is not looked at. */
function read(file: string): Declarations {
  const known = files.get(file);
  if (known !== undefined) return known;
  const texts = new Map<string, string>();
  const imports = new Map<string, { name: string; from: string }>();
  const reexports = new Map<string, { name: string; from: string }>();
  const all: string[] = [];
  const isOwn = (from: string): boolean => from.startsWith(".") && !from.endsWith("valibot.js");
  const pathOf = (from: string): string => resolve(dirname(file), from.replace(/\.[jt]s$/, ".d.ts"));
  const source = readFileSync(file, "utf8").replace(/\/\*[\s\S]*?\*\//g, "");
  for (const statement of source.split(/\n(?=(?:export|import|declare|type|interface|class)\b)/)) {
    const list = /^(import|export) (?:type )?\{([^}]*)\} from "([^"]+)"/.exec(statement);
    const star = /^export \* from "([^"]+)"/.exec(statement);
    const own = /^(?:export )?(?:declare )?(?:abstract )?(?:type|interface|class|const|function) (\w+)/.exec(
      statement,
    );
    if (list !== null && isOwn(list[3] ?? ""))
      for (const item of (list[2] ?? "").split(",").filter((text) => text.trim() !== "")) {
        const [name = "", local = name] = item
          .trim()
          .replace(/^type /, "")
          .split(" as ");
        (list[1] === "import" ? imports : reexports).set(local, { name, from: pathOf(list[3] ?? "") });
      }
    else if (star !== null && isOwn(star[1] ?? "")) all.push(pathOf(star[1] ?? ""));
    else if (own !== null) texts.set(own[1] ?? "", (texts.get(own[1] ?? "") ?? "") + statement);
  }
  const declarations = { texts, imports, reexports, all };
  files.set(file, declarations);
  return declarations;
}
