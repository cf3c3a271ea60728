/** A purchase that is made once, however often it is asked for: its key and its receipt outlive the page. */

import { ask, wait } from '../requests.js'

const MOST_WAIT_MS = 8_000
const RECORDED_WITHIN_MS = 600_000
const MOST_KEPT = 10
const NONE = '' // This tab has begun anew.
const NOT_JUDGED = [0, 408, 425, 429] // No answer, or one from before the server looked at the purchase.

/**
 * What this browser remembers of one event: the token of a hold in this tab, and purchases by their keys. Each tab has
 * its own purchase; one without takes over a purchase that no tab saw answered, else shows the newest that none has left.
 */
export class Memory {
  #prefix
  #ownName
  #holdName
  #purchase

  constructor(eventId) {
    this.#prefix = `seating:${eventId}:purchase:`
    this.#ownName = `seating:${eventId}:own`
    this.#holdName = `seating:${eventId}:hold`
    const own = read(() => sessionStorage, this.#ownName)
    const known = this.#all()
    this.#purchase = own === null
      ? (known.find(({ answer }) => !answer) ?? known.find(({ isLeft }) => !isLeft) ?? null)
      : this.stored(own)
  }

  get holdToken() {
    return read(() => sessionStorage, this.#holdName)
  }

  set holdToken(token) {
    write(() => sessionStorage, this.#holdName, token)
  }

  /** `{key, order, seats, at}` while it is under way, with `answer` once it is made; null without one. */
  get purchase() {
    return this.#purchase
  }

  set purchase(purchase) {
    const { key } = purchase ?? this.#purchase ?? {}
    this.#purchase = purchase
    write(() => sessionStorage, this.#ownName, purchase ? key : NONE)
    if (key) write(() => localStorage, this.#prefix + key, purchase && JSON.stringify(purchase))
    for (const old of this.#all().slice(MOST_KEPT)) write(() => localStorage, this.#prefix + old.key, null)
  }

  /** Begin anew. The tab that bought it keeps the receipt; a new tab does not show it. */
  leave() {
    this.purchase = { ...this.#purchase, isLeft: true }
    this.#purchase = null
    write(() => sessionStorage, this.#ownName, NONE)
  }

  /** The purchase with this key as any tab has left it; null without one. */
  stored(key) {
    return this.#all().find((known) => known.key === key) ?? null
  }

  /** The purchase of this hold as any tab has left it; null without one. */
  ofHold(holdToken) {
    return this.stored(keyOf(holdToken))
  }

  /** Newest first. */
  #all() {
    return names(() => localStorage)
      .filter((name) => name.startsWith(this.#prefix))
      .map((name) => parse(read(() => localStorage, name)))
      .filter(Boolean)
      .sort((one, other) => other.at - one.at)
  }
}

/**
 * Buy what `memory.purchase` says, and remember the answer. Where no answer comes, ask again with the same key: the
 * server sells it once and gives the first answer again. Throws the server's refusal, and forgets the purchase then.
 */
export async function complete(eventId, memory, onRetry) {
  const purchase = memory.purchase
  const { key, order } = purchase
  for (let attempt = 0; ; attempt++) {
    try {
      const headers = { 'Idempotency-Key': key }
      const answer = await ask('POST', `/api/v1/events/${eventId}/purchases`, { body: order, headers })
      memory.purchase = { ...purchase, answer, at: Date.now() }
      return
    } catch (error) {
      if (error.status < 500 && !NOT_JUDGED.includes(error.status)) {
        const known = memory.stored(key)
        memory.purchase = known?.answer ? known : null // Another tab may have asked too.
        if (!memory.purchase) throw error
        return
      }
      onRetry()
      const backoffMs = Math.min(MOST_WAIT_MS, 500 * 2 ** attempt) * (0.5 + Math.random() / 2)
      await wait(Math.max(error.retryAfterS * 1000 || 0, backoffMs))
    }
  }
}

/** Prepare the purchase of a hold of these seats. It is remembered before anything is sent. */
export function prepare(memory, holdToken, seats) {
  memory.purchase = { key: keyOf(holdToken), order: { holdToken }, seats, at: Date.now() }
}

/** The key is the hold's in every tab: one hold is bought once. It has the 36 characters that a server may ask for. */
const keyOf = (holdToken) => `purchase-of-hold-${holdToken}`

/** Call `show` with the purchase as the server has it, until it is settled. */
export async function followState(purchaseId, show) {
  const endsAt = Date.now() + RECORDED_WITHIN_MS
  for (let waitMs = 300; Date.now() < endsAt; waitMs = Math.min(MOST_WAIT_MS, waitMs * 1.6)) {
    await wait(waitMs)
    try {
      const purchase = await ask('GET', `/api/v1/purchases/${purchaseId}`)
      show(purchase)
      if (purchase.state !== 'accepted') return
    } catch {
      /* Asked again. */
    }
  }
}

// A browser may refuse to store anything. Then the page works, but a reload forgets.

function read(storage, name) {
  try {
    return storage().getItem(name)
  } catch {
    return null
  }
}

function names(storage) {
  try {
    return Object.keys(storage())
  } catch {
    return []
  }
}

/** A remembered purchase; null for what another hand wrote. */
function parse(text) {
  try {
    const found = JSON.parse(text)
    return found?.order?.holdToken && found.key && Array.isArray(found.seats) ? found : null
  } catch {
    return null
  }
}

function write(storage, name, value) {
  try {
    if (value === null) storage().removeItem(name)
    else storage().setItem(name, value)
  } catch {
    /* See above. */
  }
}
