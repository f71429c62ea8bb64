import { writeFileSync } from "node:fs";
import { join } from "node:path";

/** The command of an nginx with two workers that has its files in a directory; `http` is the content of that block. */
export function nginx(directory: string, http: string): readonly string[] {
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
    .map((use) => `${use}_temp_path ${directory}/${use};`)
    .join(" ");
  const configuration = `daemon off; pid ${directory}/pid; worker_processes 2; events {}
    http { access_log off; ${temporary} ${http} }`;
  writeFileSync(join(directory, "nginx.conf"), configuration);
  return ["nginx", "-e", "stderr", "-p", directory, "-c", join(directory, "nginx.conf")];
}
