/** Figures of the sale now, out of the metrics that monitoring scrapes. */

const SAMPLE = /^([a-z_]+)(?:\{(.*)\})? (\S+)$/
const LABEL = /(\w+)="((?:[^"\\]|\\.)*)"/g
const BOUGHT = ['sold', 'replayed']

/** Return the samples of Prometheus text as `{name: [{labels, value}]}`. */
export function parse(text) {
  const found = {}
  for (const line of text.split('\n')) {
    const match = line.startsWith('#') ? null : SAMPLE.exec(line)
    if (!match) continue
    const labels = Object.fromEntries(Array.from((match[2] ?? '').matchAll(LABEL), ([, name, value]) => [name, value]))
    ;(found[match[1]] ??= []).push({ labels, value: Number(match[3]) })
  }
  return found
}

const sum = (samples) => samples.reduce((total, { value }) => total + value, 0)

/**
 * Return the figures of the time between two samples, `seconds` apart: rates a second, latencies in ms (null without
 * purchases), gauges as they are now (null where the metrics do not have them, as while Redis does not answer).
 */
export function between(before, after, seconds) {
  const grown = (name, keep = () => true) => {
    const was = new Map((before[name] ?? []).map(({ labels, value }) => [JSON.stringify(labels), value]))
    const parts = (after[name] ?? []).filter(({ labels }) => keep(labels))
    return parts.map(({ labels, value }) => ({
      labels,
      value: Math.max(0, value - (was.get(JSON.stringify(labels)) ?? 0)),
    }))
  }
  const now = (name) => (after[name] ? sum(after[name]) : null)
  const outcomes = grown('seating_purchases_total')
  const upTo = {}
  for (const { labels, value } of grown('seating_purchase_seconds_bucket')) upTo[labels.le] = (upTo[labels.le] ?? 0) + value
  const buckets = Object.entries(upTo)
    .map(([le, value]) => [le === '+Inf' ? Infinity : Number(le), value])
    .sort(([a], [b]) => a - b)
  const done = grown('seating_done_without_redis_total')
  return {
    sold: sum(outcomes.filter(({ labels }) => labels.outcome === 'sold')) / seconds,
    refused: sum(outcomes.filter(({ labels }) => !BOUGHT.includes(labels.outcome))) / seconds,
    reasons: outcomes
      .filter(({ labels, value }) => value && !BOUGHT.includes(labels.outcome))
      .map(({ labels, value }) => [labels.outcome, value / seconds])
      .sort(([, a], [, b]) => b - a),
    p50: percentile(buckets, 0.5),
    p95: percentile(buckets, 0.95),
    p99: percentile(buckets, 0.99),
    requests: sum(grown('seating_http_requests_total')) / seconds,
    lag: now('seating_persistence_lag_entries'),
    sockets: now('seating_live_clients'),
    quarantined: now('seating_quarantined_entries'),
    untrusted: now('seating_inventories_untrusted'),
    stopped: now('seating_inventories_stopped'),
    withoutRedis: sum(done) / seconds,
    redisUp: now('seating_redis_up') > 0,
    jobs: now('seating_queue_jobs'),
    workers: now('seating_workers'),
    breakers: after.seating_breaker_state
      ?.filter(({ value }) => value)
      .map(({ labels, value }) => `${labels.breaker} ${value === 1 ? 'half-open' : 'open'}`) ?? null,
  }
}

/** Within its bucket a latency is taken to be spread evenly; in ms. */
export function percentile(buckets, share) {
  const count = buckets.at(-1)?.[1] ?? 0
  if (!count) return null
  let [below, beneath] = [0, 0]
  for (const [bound, upTo] of buckets) {
    if (upTo >= count * share) {
      if (bound === Infinity) return below * 1000
      return 1000 * (below + (bound - below) * ((count * share - beneath) / (upTo - beneath || 1)))
    }
    ;[below, beneath] = [bound, upTo]
  }
  return null
}

/**
 * Return when an event is sold out at the rates of the last minutes, as a sentence. `history` is `[ms, sold]`, oldest
 * first; the range comes from the slowest and the fastest third of that time.
 */
export function sellOut(history, left) {
  if (left === 0) return 'Sold out.'
  const first = history[0]
  const last = history.at(-1)
  if (!first || last[0] - first[0] < 10_000) return 'Watching; an estimate needs ten seconds.'
  const rate = (from, to) => (to[1] - from[1]) / Math.max(1, to[0] - from[0])
  const usual = rate(first, last)
  if (usual <= 0) return 'Nothing sold in this time; no estimate.'
  const at = (share) => history[Math.round(share * (history.length - 1))]
  const rates = [rate(at(0), at(1 / 3)), rate(at(1 / 3), at(2 / 3)), rate(at(2 / 3), at(1))].filter((each) => each > 0)
  const [soonest, latest] = [left / Math.max(usual, ...rates), left / Math.min(usual, ...rates)].map(duration)
  const range = soonest === latest ? '' : `, between ${soonest} and ${latest}`
  return `At this rate sold out in ${duration(left / usual)}${range}.`
}

export function duration(ms) {
  const minutes = ms / 60_000
  if (minutes < 1.5) return `${Math.max(1, Math.round(ms / 1000))} s`
  if (minutes < 90) return `${Math.round(minutes)} min`
  return minutes < 2880 ? `${Math.round(minutes / 60)} h` : `${Math.round(minutes / 1440)} days`
}
