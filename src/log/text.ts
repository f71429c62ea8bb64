/**
 * A message as one line of text: names of interfaces may hold any byte but blank and `/`, and none of them shall
 * steer a terminal or begin a line of its own.
 */
export function oneLine(message: string): string {
  return message.replace(/[\n\t]+/g, " ").replace(controls, "\ufffd");
}

/** A name that anybody may have chosen, whole and without what steers a terminal or begins a line: as JSON has it. */
export function escapeControls(name: string): string {
  return name.replace(controls, (one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

const controls = /[\p{Cc}\p{Cs}\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu;

/** The text's beginning, at most so many UTF-16 units: a datagram has to fit into the socket's send buffer. */
export function cut(text: string, length: number): string {
  return text.length > length ? `${text.slice(0, length)}...` : text;
}

/** What to say of whatever was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
