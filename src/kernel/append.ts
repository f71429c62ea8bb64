import { addon } from "./netlink/addon.ts";

/**
 * Appends text to a file that was opened with O_APPEND, by one write(2), if the file still has a name. Two calls of
 * node:fs would take longer than an endpoint's address takes through the policy.
 *
 * @returns whether all of it was written into a file that has one name
 */
export function appendText(fd: number, text: string): boolean {
  return addon().appendText(fd, text) === 1;
}
