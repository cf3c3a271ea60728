/** The time before a sale opens, and its end, which comes to each page in its own part of a second. */

import { byId, show } from '../elements.js'
import { clock, moment, words } from './words.js'

const CLOCK_MS = 500 // The server's time is known to half a second; nobody comes early.
const SPREAD_MS = 1_000

export class Opening {
  #opensAt = null
  #atMs = 0

  /** Take when the event opens. The part of a second stays the same for as long as that time does. */
  take({ opensAt, selling }) {
    if (opensAt === this.#opensAt) return
    this.#opensAt = opensAt
    const atMs = opensAt && !selling ? Date.parse(opensAt) : 0
    this.#atMs = atMs && atMs + CLOCK_MS + Math.random() * SPREAD_MS
  }

  /** What is left at a time of the server's; not above 0 once the sale is open. */
  leftMs(nowMs) {
    return this.#atMs - nowMs
  }

  show(nowMs) {
    show(byId('opening-when'), words.opens(moment(this.#opensAt)))
    byId('opening-left').textContent = clock(this.leftMs(nowMs))
    show(byId('opening-hint'), words.opensBySelf)
  }
}
