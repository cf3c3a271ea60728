/** What the sale does now: its figures, out of two samples of the metrics, and their chart. */

import { byId, element } from '../elements.js'
import { Chart, sparkline } from './chart.js'
import { between, parse } from './figures.js'
import { count, ms, rate } from './numbers.js'

const KEPT = 600
const POINTS = 60
const MOST_REASONS = 4
const percent = (share) => (share === null ? '–' : `${Math.round(100 * share)} %`)
/** Figures with a line of their last ten minutes. */
const LINES = [
  ['requests', 'Requests a second', rate],
  ['lag', 'Not in SQL yet', count],
  ['jobs', 'Jobs in the queue', count],
  ['sockets', 'Open feeds', count],
  ['hits', 'Cache hits', percent],
]

const ANSWER_MS = 10_000
const MOST_INSTANCES = 100
const REFUSED = 'The metrics are refused here; docs/pages.md says how to allow them.'

export class Now {
  /** Null until measured, and while the metrics do not answer. After one sample the gauges are there, no rates. */
  figures = null
  /** The last sample of each instance, the newest last: a balancer has one after another answer. */
  #samples = new Map()
  #chart = null
  /** Of `LINES` and of refusals by their reasons, oldest first. */
  #history = []

  constructor(session) {
    this.session = session
  }

  /** Draw the chart once there is room for it. */
  open() {
    this.#chart ??= new Chart(byId('chart'))
  }

  /**
   * Take a sample and show what has changed since the last of the same instance: others have counted something else.
   * Throws where the server refuses; what was shown stays.
   */
  async measure() {
    const after = await this.#take().catch((error) => {
      this.figures = null
      throw error
    })
    const before = this.#samples.get(after.instance)
    this.#samples.delete(after.instance)
    this.#samples.set(after.instance, after)
    if (this.#samples.size > MOST_INSTANCES) this.#samples.delete(this.#samples.keys().next().value)
    if (!before) {
      this.figures = between(after.samples, after.samples, 1)
      return
    }
    const seconds = Math.max(0.5, (after.at - before.at) / 1000)
    this.figures = { ...between(before.samples, after.samples, seconds), hits: hitsBetween(before.cache, after.cache), cache: after.cache }
    this.#keep()
    this.#show()
    this.#chart.add(Date.now(), this.figures)
  }

  async #take() {
    const headers = { Accept: 'text/plain', ...this.session.headers }
    const cached = this.session.get('/cache-status').catch(() => null)
    const response = await fetch('/metrics', { headers, signal: AbortSignal.timeout(ANSWER_MS) })
    if (!response.ok) throw Object.assign(new Error(REFUSED), { status: response.status })
    const at = performance.now()
    return { instance: response.headers.get('Instance'), at, samples: parse(await response.text()), cache: await cached }
  }

  #keep() {
    const lines = Object.fromEntries(LINES.map(([key]) => [key, this.figures[key]]))
    this.#history.push({ ...lines, reasons: Object.fromEntries(this.figures.reasons) })
    if (this.#history.length > KEPT) this.#history.shift()
  }

  #show() {
    const now = this.figures
    byId('rate').textContent = rate(now.sold)
    if (now.p99 !== null) byId('p99').textContent = ms(now.p99)
    const { cache } = now
    const rows = [
      ...this.#refusals(),
      ['p50 · p95', `${ms(now.p50)} · ${ms(now.p95)}`],
      ...LINES.map(([key, name, write]) => [name, write(now[key]), this.#line((each) => each[key] ?? 0)]),
      ['Users in the cache', cache ? `${count(cache.size)} of ${count(cache.capacity)}` : '–'],
      ['Workers', count(now.workers)],
      ['Redis', now.redisUp ? 'answers' : 'does not answer'],
      ['Breakers', now.breakers ? now.breakers.join(', ') || 'closed' : '–'],
      ['Quarantine', count(now.quarantined)],
    ]
    byId('gauges').replaceChildren(
      ...rows.map(([name, value, line]) => element('div', {}, element('dt', {}, name), element('dd', {}, line, element('span', {}, value)))),
    )
  }

  /** A row for each of the most frequent reasons of the last ten minutes. */
  #refusals() {
    const sums = new Map()
    for (const { reasons } of this.#history) {
      for (const [code, number] of Object.entries(reasons)) sums.set(code, (sums.get(code) ?? 0) + number)
    }
    const codes = [...sums].sort(([, a], [, b]) => b - a).slice(0, MOST_REASONS).map(([code]) => code)
    if (!codes.length) return [['Refused a second', 'none']]
    const now = this.#history.at(-1).reasons
    return codes.map((code) => [
      `Refused: ${code.replaceAll('_', ' ')}`,
      `${rate(now[code] ?? 0)} /s`,
      this.#line(({ reasons }) => reasons[code] ?? 0),
    ])
  }

  /** The greatest of each part of the time, so that no peak is lost. */
  #line(read) {
    const values = this.#history.map(read)
    const step = Math.ceil(values.length / POINTS)
    const points = Array.from({ length: Math.ceil(values.length / step) }, (_, part) => Math.max(...values.slice(part * step, (part + 1) * step)))
    return points.length > 1 ? sparkline(points) : null
  }
}

/** Return the share of hits between two looks at the cache; null without requests or an answer. */
function hitsBetween(before, after) {
  if (!before || !after) return null
  const hits = after.hits - before.hits
  const requests = hits + after.misses - before.misses
  return requests > 0 && hits >= 0 ? hits / requests : null
}
