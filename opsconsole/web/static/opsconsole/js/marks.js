// What is drawn under and over the lines: when an alert was firing, and where it begins to.
import { token } from "ops/palette";

const LAST_BAND = { critical: "band", warning: "band-warn", info: "band-warn" };

/** Firing bands, under the lines. */
export function drawBands(plot, bands) {
  const { ctx, bbox } = plot;
  const [from, to] = [plot.scales.x.min, plot.scales.x.max];
  for (const band of bands) {
    const [begin, end] = [Math.max(band.from, from), Math.min(band.to ?? to, to)];
    if (begin >= end) continue;
    const left = plot.valToPos(begin, "x", true);
    ctx.save();
    ctx.fillStyle = token(LAST_BAND[band.severity] ?? "band");
    ctx.fillRect(left, bbox.top, plot.valToPos(end, "x", true) - left, bbox.height);
    ctx.restore();
  }
}

/** Dashed threshold lines, over the grid; one that lies outside the scale is only in the legend. */
export function drawThresholds(plot, thresholds) {
  const { ctx, bbox } = plot;
  for (const one of thresholds) {
    if (one.value > plot.scales.y.max || one.value < plot.scales.y.min) continue;
    const y = Math.round(plot.valToPos(one.value, "y", true)) + 0.5;
    ctx.save();
    ctx.strokeStyle = token("threshold");
    ctx.setLineDash([6 * devicePixelRatio, 5 * devicePixelRatio]);
    ctx.lineWidth = 1.2 * devicePixelRatio;
    ctx.beginPath();
    ctx.moveTo(bbox.left, y);
    ctx.lineTo(bbox.left + bbox.width, y);
    ctx.stroke();
    ctx.restore();
  }
}
