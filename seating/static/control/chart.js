/** The chart of the last ten minutes: sales, refusals and the slowest purchases. */

import { canvasColor } from '../elements.js'
import uPlot from '../vendor/uPlot-1.6.32/uPlot.esm.js'

const KEPT_S = 600
const HEIGHT = 260
const SERIES = [
  { key: 'sold', label: 'sold a second', color: '--good', scale: 'rate' },
  { key: 'refused', label: 'refused a second', color: '--warm', scale: 'rate' },
  { key: 'p50', label: 'p50 ms', color: '--quiet', scale: 'ms', dash: [2, 4] },
  { key: 'p95', label: 'p95 ms', color: '--ink', scale: 'ms', dash: [8, 4] },
  { key: 'p99', label: 'p99 ms', color: '--accent', scale: 'ms' },
]

const minute = (atS) => new Date(atS * 1000).toLocaleTimeString('en-GB', { timeStyle: 'short' })

export class Chart {
  #rows = []

  constructor(box) {
    this.box = box
    const axis = {
      stroke: canvasColor('--quiet'),
      grid: { stroke: canvasColor('--line'), width: 1 },
      ticks: { show: false },
    }
    this.plot = new uPlot(
      {
        ...this.#size(),
        legend: { live: false },
        cursor: { y: false },
        scales: {
          x: { time: true },
          rate: { range: (_, __, most) => [0, Math.max(1, most * 1.1)] },
          ms: { range: (_, __, most) => [0, Math.max(10, most * 1.1)] },
        },
        axes: [
          { ...axis, space: 80, incrs: [60, 120, 300], values: (_, all) => all.map(minute) },
          { ...axis, scale: 'rate', size: 56 },
          {
            ...axis,
            scale: 'ms',
            side: 1,
            size: 64,
            grid: { show: false },
            values: (_, all) => all.map((ms) => `${ms} ms`),
          },
        ],
        series: [
          { label: 'time' },
          ...SERIES.map(({ label, color: name, scale, dash }) => ({
            label,
            scale,
            dash,
            width: 2,
            stroke: canvasColor(name),
            spanGaps: true,
            points: { show: false },
            value: (_, value) => (value === null || value === undefined ? '–' : value.toFixed(value < 10 ? 1 : 0)),
          })),
        ],
      },
      this.#data(),
      box,
    )
    new ResizeObserver(() => this.plot.setSize(this.#size())).observe(box)
  }

  add(atMs, figures) {
    this.#rows.push({ at: atMs / 1000, ...figures })
    while (this.#rows[0].at < atMs / 1000 - KEPT_S) this.#rows.shift()
    this.plot.setData(this.#data())
    this.plot.setScale('x', { min: atMs / 1000 - KEPT_S, max: atMs / 1000 })
  }

  #size() {
    return { width: Math.max(280, this.box.clientWidth), height: HEIGHT }
  }

  #data() {
    return [this.#rows.map(({ at }) => at), ...SERIES.map(({ key }) => this.#rows.map((row) => row[key]))]
  }
}

/** Return a small line of values as SVG, for a table. */
export function sparkline(values, width = 96, height = 20) {
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg')
  svg.setAttribute('viewBox', `0 0 ${width} ${height}`)
  svg.setAttribute('class', 'sparkline')
  svg.setAttribute('aria-hidden', 'true')
  const most = Math.max(1, ...values)
  const points = values.map(
    (value, index) => `${((index + 1) / values.length) * width},${height - 1 - (value / most) * (height - 2)}`,
  )
  const line = document.createElementNS('http://www.w3.org/2000/svg', 'polyline')
  line.setAttribute('points', points.join(' '))
  svg.append(line)
  return svg
}
