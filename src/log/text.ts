/**
 * A message as one line of text: names of interfaces may hold any byte but blank and `/`, and none of them shall
 * steer a terminal or begin a line of its own.
 */
export function oneLine(message: string): string {
  return message
    .replace(/[\n\t]+/g, " ")
    .replace(/[\p{Cc}\p{Cs}\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu, "\ufffd");
}

/** The text's beginning, at most so many UTF-16 units: a datagram has to fit into the socket's send buffer. */
export function cut(text: string, length: number): string {
  return text.length > length ? `${text.slice(0, length)}...` : text;
}

/** What to say of whatever was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
