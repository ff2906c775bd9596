// How a uPlot is set up: scales, axes, lines and areas, in the colours of the theme.
import { faded, token } from "ops/palette";
import { axisLabels, tick } from "ops/format";

const FONT = '11px "Inter Variable", system-ui, sans-serif';
const HEADROOM = 1.08;
const HALF_LABEL_PX = 14;
const AT_THE_BOTTOM = { crit: 2, warn: 1, d3: 1 };

/** Tick labels in local time; one that would be cut off at the right is left out. */
function timeLabels(plot, splits) {
  const apart = splits.length > 1 ? splits[1] - splits[0] : 60;
  const edge = plot.bbox.width / devicePixelRatio - HALF_LABEL_PX;
  return splits.map((at) => (plot.valToPos(at, "x") > edge ? "" : tick(at, apart)));
}

/** Highest value the y axis must hold: the data, and each threshold that is not far away from them. */
function ceiling(highest, thresholds) {
  const near = thresholds.filter((one) => highest <= 0 || one.value <= highest * 12).map((one) => one.value * 1.12);
  return Math.max(highest * HEADROOM, ...near) || 1;
}

/** uPlot options; `chart` gives {width, height, description, tokens, stacked, bounds(): [from, to], hooks}. */
export function options(chart) {
  const { description, tokens, stacked } = chart;
  const axis = { stroke: () => token("ink-3"), ticks: { show: false }, font: FONT };
  return {
    width: chart.width,
    height: chart.height,
    padding: [8, 4, 0, 0],
    legend: { show: false },
    cursor: { x: true, y: false, points: { size: 7, width: 0 }, drag: { x: true, y: false, setScale: false }, focus: { prox: -1 } },
    scales: { x: { range: () => chart.bounds() }, y: { range: (_plot, low, high) => [Math.min(0, low ?? 0), ceiling(high ?? 0, description.thresholds)] } },
    axes: [
      { ...axis, grid: { show: false }, size: 22, gap: 4, space: 56, values: timeLabels },
      { ...axis, grid: { stroke: () => token("grid"), width: 1 }, size: 46, gap: 6, space: 34, values: (_plot, splits) => axisLabels(splits, description.unit) },
    ],
    series: [
      {},
      ...tokens.map((name, index) => ({
        stroke: () => token(name),
        width: stacked ? 1.2 : tokens.length > 1 && index === description.now ? 2 : 1.6,
        fill: stacked || tokens.length === 1 || description.kind === "area" ? () => faded(name, 0.14) : undefined,
        points: { show: false },
        spanGaps: false,
      })),
    ],
    bands: stacked ? stackOrder(tokens).slice(1).map((upper, place) => ({ series: [upper + 1, stackOrder(tokens)[place] + 1], fill: () => faded(tokens[upper], 0.14) })) : undefined,
    hooks: chart.hooks,
  };
}

/**
 * Indexes of stacked series from the bottom up: failures first, the rest from the last to the first.  What is rare and
 * wrong keeps its own small shape there, instead of colouring the rim of everything.
 */
export function stackOrder(tokens) {
  const weight = (index) => AT_THE_BOTTOM[tokens[index]] ?? 0;
  return tokens.map((_, index) => index).sort((a, b) => weight(b) - weight(a) || b - a);
}

/** Columns added up in the order of the stack; a gap stays a gap of its own line. */
export function stack(columns, tokens) {
  const sums = new Array(columns[0]?.length ?? 0).fill(0);
  const added = [];
  for (const index of stackOrder(tokens)) added[index] = columns[index].map((value, at) => (value == null ? null : (sums[at] += value)));
  return added;
}
