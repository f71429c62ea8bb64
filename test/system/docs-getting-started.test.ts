import { after, before, describe, it } from "node:test";
import { Page } from "../lab/document.ts";
import { packagesProblem } from "../lab/packages.ts";
import { Shown } from "../lab/shown.ts";
import { SystemdLab, systemdProblem } from "../lab/systemd.ts";
import { follow } from "./docs.ts";
import { downloaded } from "./installed.ts";
import { cable, server, wifi } from "./surroundings.ts";

const page = Page.read("docs/getting-started.md");

describe("docs/getting-started.md", {
  skip: packagesProblem() || (await systemdProblem(["iperf3", "nginx", "nstat"])),
}, () => {
  const shown = new Shown();
  let lab: SystemdLab;
  before(async () => {
    lab = await SystemdLab.boot();
    downloaded(lab);
    await lab.run("bash", "-ec", [...server, ...cable, ...wifi].join("\n"));
  });
  after(() => lab.close());

  for (const section of page.sections)
    if (section.blocks.length > 0)
      it(`runs as written: ${section.title}`, () => follow(lab, page, section, shown));
});
