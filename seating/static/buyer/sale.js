/** What the sale is for this buyer now: its phase, what is chosen and for how much, what is left. */

const FREE = 0

/** Return the phase of the page: what the buyer can do, or why nothing can be done. */
export function phaseOf({ isMissing, event, purchase, held, opening, now, left, selection }) {
  if (isMissing) return 'missing'
  if (!event) return 'loading'
  if (purchase) return purchase.answer ? 'receipt' : 'buying'
  const hasEnded = Boolean(event.closesAt) && Date.parse(event.closesAt) <= now
  if (event.state === 'closed' || hasEnded) return 'closed'
  if (held.isHeld) return 'held'
  if (event.maxPerBuyer) return 'elsewhere' // Only a shop says who buys.
  if (['paused', 'unavailable'].includes(event.state)) return event.state
  if (opening.leftMs(now) > 0) return 'before'
  return left === 0 && !selection.length ? 'soldout' : 'choose'
}

const SETTLED = ['missing', 'closed', 'receipt'] // They wait for nothing from the server.

/** Return what the panel shows of the page. */
export function stateOf(page) {
  const { event, phase, selection, held, quantity, category, busy, notice, left, most, connection, map, opening, now } = page
  const isChanged = Boolean(event?.seated) && held.differsFrom(selection)
  return {
    event, phase, selection, held, quantity, category, busy, notice, left, most, isChanged,
    isReady: Boolean(map.feed?.plan),
    total: held.isHeld && !isChanged ? held.total : selection.reduce((sum, { price }) => sum + (price ?? 0), 0),
    isOffline: connection === 'offline' && !SETTLED.includes(phase),
    offered: offeredIn(map.feed?.plan, event),
    categoriesLeft: phase === 'choose' ? categoriesLeft(map.feed) : null,
    leftMsToOpening: opening.leftMs(now),
  }
}

/** The categories of which a hall has seats: a plan may name others. */
function offeredIn(plan, event) {
  const used = plan && new Set(plan.blocks.map(({ category }) => plan.categories[category].name))
  return (event?.categories ?? []).filter(({ name }) => !used || used.has(name))
}

const categories = new WeakMap()

/** Count the free seats of each category on the map, by its name; null without a map. */
function categoriesLeft({ plan, statuses }) {
  if (!plan) return null
  if (!categories.has(plan)) {
    const ofSeats = plan.blocks.flatMap(({ category, rows }) => rows.flatMap(({ seats }) => seats.map(() => category)))
    categories.set(plan, Uint16Array.from(ofSeats))
  }
  const counts = new Uint32Array(plan.categories.length)
  categories.get(plan).forEach((category, seat) => {
    if (statuses[seat] === FREE) counts[category]++
  })
  return new Map(plan.categories.map(({ name }, category) => [name, counts[category]]))
}
