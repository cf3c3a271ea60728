/** What the sale does now: its figures, out of two samples of the metrics, and their chart. */

import { byId, element } from '../elements.js'
import { Chart } from './chart.js'
import { between, parse } from './figures.js'
import { count, ms, rate } from './numbers.js'

const ANSWER_MS = 10_000
const REFUSED = 'The metrics are refused here; docs/pages.md says how to allow them.'

export class Now {
  figures = between({}, {}, 1)
  #sample = null
  #chart = null

  constructor(session) {
    this.session = session
  }

  /** Draw the chart once there is room for it. */
  open() {
    this.#chart ??= new Chart(byId('chart'))
  }

  /** Take a sample and show what has changed since the last. Throws where the server refuses; the old figures stay. */
  async measure() {
    const headers = { Accept: 'text/plain', ...this.session.headers }
    const response = await fetch('/metrics', { headers, signal: AbortSignal.timeout(ANSWER_MS) })
    if (!response.ok) throw Object.assign(new Error(REFUSED), { status: response.status })
    const at = performance.now()
    const samples = parse(await response.text())
    if (this.#sample) {
      this.figures = between(this.#sample.samples, samples, Math.max(0.5, (at - this.#sample.at) / 1000))
      this.#show()
      this.#chart.add(Date.now(), this.figures)
    }
    this.#sample = { at, samples }
  }

  #show() {
    const now = this.figures
    byId('rate').textContent = rate(now.sold)
    if (now.p99 !== null) byId('p99').textContent = ms(now.p99)
    const open = now.breakers.filter(({ value }) => value).length
    const reasons = now.reasons.slice(0, 3).map(([code, number]) => `${code.replaceAll('_', ' ')} ${rate(number)}`)
    const shown = [
      ['Refused a second', reasons.join(', ') || 'none'],
      ['p50 · p95', `${ms(now.p50)} · ${ms(now.p95)}`],
      ['Requests a second', rate(now.requests)],
      ['Not in SQL yet', count(now.lag)],
      ['Open feeds', count(now.sockets)],
      ['Redis', now.redisUp ? 'answers' : 'does not answer'],
      ['Breakers', open ? `${open} not closed` : 'closed'],
      ['Quarantine', count(now.quarantined)],
    ]
    const rows = shown.map(([name, value]) => element('div', {}, element('dt', {}, name), element('dd', {}, value)))
    byId('gauges').replaceChildren(...rows)
  }
}
