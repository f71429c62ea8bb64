/** Whether a text as a whole fits. */
export type Glob = (text: string) => boolean;

/**
 * A glob as glob(7) has it: `*`, `?`, `[abc]`, `[a-z]`, `[!a-z]`. There are no escapes: interface names and link
 * kinds need none. Undefined if a bracket is not closed or has a range that runs backwards.
 */
export function compileGlob(glob: string): Glob | undefined {
  const known = compiled.get(glob);
  if (known !== undefined) return known;
  const tokens = piecesOf(glob).map(toToken);
  if (tokens.includes(undefined)) return undefined;
  const matcher: Glob = (text) =>
    matches(
      tokens.filter((token) => token !== undefined),
      [...text],
    );
  compiled.set(glob, matcher);
  return matcher;
}

/** Whether a text as a whole fits a glob; one that is malformed fits nothing. */
export function matchesGlob(text: string, glob: string): boolean {
  return compileGlob(glob)?.(text) ?? false;
}

/**
 * Whether there is a text that fits: of at most `longest` bytes, and in ASCII of characters that `allows` takes only.
 */
export function canMatch(
  glob: string,
  { longest, allows }: { readonly longest: number; readonly allows: Glob },
): boolean {
  const candidates = printable.filter(allows);
  const pieces = piecesOf(glob).filter((piece) => piece !== "*");
  const least = pieces.reduce(
    (sum, piece) => sum + (piece.startsWith("[") ? 1 : Buffer.byteLength(piece)),
    0,
  );
  return (
    least <= longest &&
    pieces.every((piece) => {
      const token = toToken(piece);
      return /\P{ASCII}/u.test(piece) || (typeof token === "function" && candidates.some(token));
    })
  );
}

/** U+0020 to U+007E. */
const printable = Array.from({ length: 0x5f }, (_, index) => String.fromCharCode(0x20 + index));

function piecesOf(glob: string): readonly string[] {
  return glob.match(/\*|\[(?:[!^].|[^!^])[^\]]*\]|./gsu) ?? [];
}

// A configuration has few globs, and reloading brings the same ones: they are compiled once for the process.
const compiled = new Map<string, Glob>();

type Token = "*" | ((character: string) => boolean);

function toToken(piece: string): Token | undefined {
  if (piece === "*") return "*";
  if (piece === "?") return () => true;
  if (piece === "[") return undefined;
  if (!piece.startsWith("[")) return (character) => character === piece;
  const negated = piece[1] === "!" || piece[1] === "^";
  const ranges = piece.slice(negated ? 2 : 1, -1).match(/.-.|./gsu) ?? [];
  const bounds = ranges.map((range) => {
    const ends = [...range];
    return { first: ends[0] ?? "", last: ends[2] ?? ends[0] ?? "" };
  });
  if (bounds.some(({ first, last }) => first > last)) return undefined;
  return (character) => negated !== bounds.some(({ first, last }) => first <= character && character <= last);
}

// Goes back to the last `*` alone, so that no glob takes more than (its length) × (the text's length) steps.
function matches(tokens: readonly Token[], text: readonly string[]): boolean {
  let at = 0;
  let star: { token: number; text: number } | undefined;
  for (let position = 0; position < text.length; ) {
    const token = tokens[at];
    if (token === "*") {
      star = { token: at, text: position };
      at += 1;
    } else if (token?.(text[position] ?? "")) {
      at += 1;
      position += 1;
    } else if (star !== undefined) {
      star.text += 1;
      position = star.text;
      at = star.token + 1;
    } else {
      return false;
    }
  }
  return tokens.slice(at).every((token) => token === "*");
}
