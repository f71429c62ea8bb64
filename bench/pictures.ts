import { type GrowthRun, majorVersion } from "./results.ts";

type Point = { readonly x: number; readonly y: number };
type Series = { readonly name: string; readonly points: readonly Point[] };
type Panel = { readonly title: string; readonly series: readonly Series[] };

/** Pixels. */
const PANEL = { width: 290, height: 250 };
const PLOT = { left: 52, top: 30, right: 262, bottom: 200 };
const LEGEND_HEIGHT = 30;
const LEGEND_WIDTH = 140;

/** Readable on a light page and on a dark one; the lines differ in their dashes as well. */
const STYLE = `
  text { font: 12px sans-serif; fill: #1f2328; }
  .title { font-weight: bold; }
  .grid { stroke: #d1d9e0; }
  .line { fill: none; stroke-width: 2; }
  .line0 { stroke: #0969da; } .dot0 { fill: #0969da; }
  .line1 { stroke: #bc4c00; stroke-dasharray: 6 3; } .dot1 { fill: #bc4c00; }
  .line2 { stroke: #59636e; stroke-dasharray: 2 3; } .dot2 { fill: #59636e; }
  @media (prefers-color-scheme: dark) {
    text { fill: #f0f6fc; }
    .grid { stroke: #3d444d; }
    .line0 { stroke: #4493f8; } .dot0 { fill: #4493f8; }
    .line1 { stroke: #f0883e; } .dot1 { fill: #f0883e; }
    .line2 { stroke: #9198a1; } .dot2 { fill: #9198a1; }
  }
`;

/** The picture of what addresses cost, as SVG; a line for each Node. */
export function pictureOfAddresses(runs: readonly GrowthRun[]): string {
  const lines = (read: (one: GrowthRun["addresses"][number]) => number) =>
    runs.map(({ node, addresses }) => ({
      name: `Node ${majorVersion(node)}`,
      points: addresses.map((one) => ({ x: one.count, y: read(one) })),
    }));
  const floor = (runs[0]?.addresses ?? []).map(({ count, bareC }) => ({ x: count, y: bareC }));
  return picture("addresses", [
    {
      title: "time for one more address, µs",
      series: [...lines(({ ours }) => ours), { name: "bare C loop", points: floor }],
    },
    { title: "private memory, MiB", series: lines(({ memory }) => memory) },
    { title: "CPU of a full reading, ms", series: lines(({ reading }) => reading) },
  ]);
}

export function pictureOfConnections(runs: readonly GrowthRun[]): string {
  const lines = (read: (one: GrowthRun["connections"][number]) => number) =>
    runs.map(({ node, connections }) => ({
      name: `Node ${majorVersion(node)}`,
      points: connections.map((one) => ({ x: one.count, y: read(one) })),
    }));
  return picture("connections", [
    { title: "private memory, MiB", series: lines(({ memory }) => memory) },
    { title: "CPU for one more connection, µs", series: lines(({ cpu }) => cpu) },
    { title: "start until ready, ms", series: lines(({ start }) => start) },
  ]);
}

/** Panels side by side, below them which line is which; the number of `things` is on all x axes. */
function picture(things: string, panels: readonly Panel[]): string {
  const names = [...new Set(panels.flatMap(({ series }) => series.map(({ name }) => name)))];
  const [width, height] = [PANEL.width * panels.length, PANEL.height + LEGEND_HEIGHT];
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" role="img">`,
    `<title>${panels.map(({ title }) => title).join("; ")}, by the number of ${things}</title>`,
    `<style>${STYLE}</style>`,
    ...panels.flatMap((panel, index) => [
      `<g transform="translate(${index * PANEL.width})">`,
      ...draw(panel, things, names),
      "</g>",
    ]),
    ...names.flatMap((name, index) => legend(name, index)),
    "</svg>",
    "",
  ].join("\n");
}

function draw({ title, series }: Panel, things: string, names: readonly string[]): string[] {
  const points = series.flatMap((one) => one.points);
  const xTicks = decades(points.map(({ x }) => x));
  const yTicks = ticks(points.map(({ y }) => y));
  const x = scale(xTicks, PLOT.left, PLOT.right);
  const y = scale(yTicks, PLOT.bottom, PLOT.top);
  return [
    `<text class="title" x="${PLOT.left}" y="16">${title}</text>`,
    ...xTicks.flatMap((tick) => [
      line("grid", [x(tick), PLOT.top], [x(tick), PLOT.bottom]),
      label(x(tick), PLOT.bottom + 16, "middle", tick),
    ]),
    ...yTicks.flatMap((tick) => [
      line("grid", [PLOT.left, y(tick)], [PLOT.right, y(tick)]),
      label(PLOT.left - 6, y(tick) + 4, "end", tick),
    ]),
    `<text x="${(PLOT.left + PLOT.right) / 2}" y="${PLOT.bottom + 34}" text-anchor="middle">${things}</text>`,
    ...series.flatMap(({ name, points }) => {
      const number = names.indexOf(name);
      const places = points.map((point) => [x(point.x), y(point.y)] as const);
      return [
        `<polyline class="line line${number}" points="${places.map((place) => place.join(",")).join(" ")}"/>`,
        ...places.map(([cx, cy]) => `<circle class="dot${number}" cx="${cx}" cy="${cy}" r="3"/>`),
      ];
    }),
  ];
}

function legend(name: string, index: number): string[] {
  const [x, y] = [PLOT.left + index * LEGEND_WIDTH, PANEL.height + LEGEND_HEIGHT / 2];
  return [line(`line line${index}`, [x, y], [x + 30, y]), `<text x="${x + 38}" y="${y + 4}">${name}</text>`];
}

function line(kind: string, [x1, y1]: [number, number], [x2, y2]: [number, number]): string {
  return `<line class="${kind}" x1="${x1}" y1="${y1}" x2="${x2}" y2="${y2}"/>`;
}

function label(x: number, y: number, anchor: "middle" | "end", tick: number): string {
  return `<text x="${x}" y="${y}" text-anchor="${anchor}">${tick.toLocaleString("en")}</text>`;
}

/** Places between two pixels, by logarithm; the ticks go from one to the other. */
function scale(ticks: readonly number[], from: number, to: number): (value: number) => number {
  const [low = 1, high = 10] = [ticks.at(0), ticks.at(-1)];
  const share = (value: number) => Math.log(value / low) / Math.log(high / low);
  return (value) => Number((from + share(value) * (to - from)).toFixed(1));
}

function decades(values: readonly number[]): number[] {
  return within(values, [1]);
}

/** Few values within two decades have 1, 2 and 5 of each, more have the decades. */
function ticks(values: readonly number[]): number[] {
  return Math.max(...values) / Math.min(...values) < 30 ? within(values, [1, 2, 5]) : decades(values);
}

/** The steps of each decade, from the last one that is at most the smallest value to the first that is above all. */
function within(values: readonly number[], steps: readonly number[]): number[] {
  const [least, most] = [Math.min(...values), Math.max(...values)];
  const first = Math.floor(Math.log10(least));
  const count = Math.floor(Math.log10(most)) - first + 2;
  const all = Array.from({ length: count }, (_, index) =>
    steps.map((step) => step * 10 ** (first + index)),
  ).flat();
  const low = all.findLastIndex((tick) => tick <= least);
  const high = all.findIndex((tick) => tick >= most && tick > least);
  return all.slice(low, high + 1).map((tick) => Number(tick.toPrecision(1)));
}
