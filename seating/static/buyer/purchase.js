/** A purchase that is made once, however often it is asked for: its key and its receipt outlive the page. */

import { ask, wait } from '../requests.js'

const MOST_WAIT_MS = 8_000
const RECORDED_WITHIN_MS = 600_000

/** What this browser remembers of one event: the token of a hold in this tab, and the last purchase. */
export class Memory {
  #purchaseName
  #holdName
  #purchase

  constructor(eventId) {
    this.#purchaseName = `seating:${eventId}:purchase`
    this.#holdName = `seating:${eventId}:hold`
    this.#purchase = JSON.parse(read(() => localStorage, this.#purchaseName))
  }

  get holdToken() {
    return read(() => sessionStorage, this.#holdName)
  }

  set holdToken(token) {
    write(() => sessionStorage, this.#holdName, token)
  }

  /** `{key, order, seats}` while it is under way, with `answer` and `at` once it is made; null without one. */
  get purchase() {
    return this.#purchase
  }

  set purchase(purchase) {
    this.#purchase = purchase
    write(() => localStorage, this.#purchaseName, purchase && JSON.stringify(purchase))
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
      const made = { ...purchase, answer, at: Date.now() }
      memory.purchase = made
      return made
    } catch (error) {
      const isUnknown = error.status === 0 || error.status >= 500 || error.status === 429
      if (!isUnknown) {
        memory.purchase = null
        throw error
      }
      onRetry()
      const backoffMs = Math.min(MOST_WAIT_MS, 500 * 2 ** attempt) * (0.5 + Math.random() / 2)
      await wait(Math.max(error.retryAfterS * 1000 || 0, backoffMs))
    }
  }
}

/** Prepare the purchase of a hold of these seats, with a new key. It is remembered before anything is sent. */
export function prepare(memory, holdToken, seats) {
  const bytes = crypto.getRandomValues(new Uint8Array(16)) // `randomUUID` needs a secure context.
  const key = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
  memory.purchase = { key, order: { holdToken }, seats }
}

/** Call `show` with the purchase's state as the server has it, until it is settled. */
export async function followState(purchaseId, show) {
  const endsAt = Date.now() + RECORDED_WITHIN_MS
  for (let waitMs = 300; Date.now() < endsAt; waitMs = Math.min(MOST_WAIT_MS, waitMs * 1.6)) {
    await wait(waitMs)
    try {
      const { state } = await ask('GET', `/api/v1/purchases/${purchaseId}`)
      show(state)
      if (state !== 'accepted') return
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

function write(storage, name, value) {
  try {
    if (value === null) storage().removeItem(name)
    else storage().setItem(name, value)
  } catch {
    /* See above. */
  }
}
