/** What this page holds, for how much, and how long it still does. */

import { ask } from '../requests.js'

export class Held {
  token = null
  /** Details of the seats; none in general admission, whose places have no names. */
  seats = []
  quantity = 0
  /** In minor units; undefined until it is known. */
  total = undefined
  /** Of each place in general admission, once they are known. */
  categories = null
  prices = null
  #endsAt = 0
  #endsOnClock = 0

  /** `path` is that of the event's routes; `memory` keeps the token for a reload. */
  constructor(path, memory) {
    Object.assign(this, { path, memory })
  }

  get isHeld() {
    return this.token !== null
  }

  /** The server said how long; since then either clock may have been set, or have stopped while the machine slept. */
  get leftMs() {
    return Math.max(0, Math.min(this.#endsAt - performance.now(), this.#endsOnClock - Date.now()))
  }

  /** Take what the map says of the hold. Returns whether it is another one than before. */
  take({ holdToken, expiresInMs, seats }) {
    const isNew = holdToken !== this.token
    this.#endsAt = performance.now() + expiresInMs
    this.#endsOnClock = Date.now() + expiresInMs
    this.memory.holdToken = this.token = holdToken
    this.seats = seats
    if (seats.length) this.quantity = seats.length
    if (seats.length) this.total = seats.reduce((sum, { price }) => sum + (price ?? 0), 0)
    return isNew
  }

  /** Ask for the places of general admission: only the server knows which they are. Throws as `requests.ask`. */
  async ask() {
    const { token } = this
    const hold = await ask('GET', `${this.path}/holds/${token}`)
    if (token !== this.token) return
    const { quantity, categories = null, prices = null, total } = hold
    Object.assign(this, { quantity, categories, prices, total })
  }

  forget() {
    Object.assign(this, { token: null, seats: [], quantity: 0, total: undefined, categories: null, prices: null })
    this.memory.holdToken = null
  }

  /**
   * Ask for the hold again: for seats through the map, which says why where it cannot be read; then false. Throws if its
   * seats or its price are others than those that were shown.
   */
  async isAsShown(map) {
    const { seats, total } = this
    if (seats.length && !(await map.resume(this.token))) return false
    if (!seats.length) {
      await this.ask().catch((error) => {
        if (error.code !== 'HOLD_EXPIRED') throw error // Its purchase is refused, which says so and forgets it.
      })
    }
    if (this.total !== total || this.differsFrom(seats)) throw Object.assign(new Error('the hold has changed'), { code: 'changed' })
    return true
  }

  /** Whether the chosen seats are others than those that are held. */
  differsFrom(selection) {
    const ids = new Set(this.seats.map(({ id }) => id))
    return ids.size !== selection.length || selection.some(({ id }) => !ids.has(id))
  }
}
