/** The seats that a buyer has chosen, and the hold on them. */

import { FREE } from './painter.js'

const [USUAL_MAX, MOST] = [8, 10]
const RETRIES = 2
const RETRY_MS = 1_000
const [ANSWER_MS, UNANSWERED_MS] = [15_000, 60_000]
const SPOKEN_MS = [[120_000, 'twoMinutes'], [30_000, 'halfMinute']]

/** `host` is the component; `tell` has `event`, `say` and `drawn`. */
export class Choice {
  seats = [] // Indices, in the order of their choice.
  hold = null
  offer = null
  #heldSeats = new Set()
  #asking = 0
  #isClosed = false
  #last = new Promise((go) => { this.begin = go }) // Nothing is asked before the seats are known.
  #timer = 0
  #seenMs = 0 // Of the hold, when last looked at.
  #keys = {} // Of requests without an answer, by their bodies.

  constructor(feed, words, host, tell) { Object.assign(this, { feed, words, host, tell }) }

  get own() { return new Set([...this.seats, ...this.#heldSeats]) }

  get held() {
    if (!this.hold) return null
    const { holdToken, expiresAt } = this.hold
    return { holdToken, expiresAt, expiresInMs: this.#leftMs(), seats: this.#details([...this.#heldSeats]) }
  }

  get selection() { return this.#details(this.seats) }

  get total() { return this.selection.reduce((sum, { price }) => sum + (price ?? 0), 0) }

  toggle(seat) { return this.seats.includes(seat) ? this.remove([seat]) : this.add([seat]) }

  add(seats) {
    const fresh = [...new Set(seats)].filter((seat) => !this.seats.includes(seat))
    const free = fresh.filter((seat) => this.feed.statuses[seat] === FREE || this.#heldSeats.has(seat))
    const max = Math.min(Number(this.host.getAttribute('max')) || USUAL_MAX, this.feed.event.maxPerPurchase ?? MOST, MOST)
    const taken = free.slice(0, Math.max(0, max - this.seats.length))
    if (free.length > taken.length) this.#refuse('MAX_SEATS', this.words.most(max))
    else if (fresh.length > free.length) this.#refuse('SEAT_UNAVAILABLE', this.words.unavailable)
    if (taken.length) this.#set([...this.seats, ...taken], 'chosen', taken)
    return taken.length === fresh.length
  }

  remove(seats) {
    const gone = seats.filter((seat) => this.seats.includes(seat))
    if (gone.length) this.#set(this.seats.filter((seat) => !gone.includes(seat)), 'dropped', gone)
  }

  #set(seats, word, changed) {
    this.seats = seats
    const { currency = null, categories = [] } = this.feed.event ?? {}
    this.tell.event('selectionchange', { seats: this.selection, total: this.total, currency, categories })
    this.tell.drawn()
    if (word) this.tell.say(this.words[word](this.#names(changed), this.words.sum(seats.length, this.words.amount(this.total, currency))))
  }

  #names(seats) { return seats.map((seat) => this.offer.describe(seat)).join('; ') }

  /** Tell what is chosen and held. */
  report() {
    this.#set(this.seats)
    if (this.hold) this.tell.event('holdchange', { hold: this.held })
  }

  /** Drop chosen seats that others took. Those of a request without an answer may be one's own. */
  lose() {
    const isUnanswered = !this.hold && this.#keys[JSON.stringify({ seats: this.#ids(this.seats) })]
    const lost = this.seats.filter((seat) => this.feed.statuses[seat] !== FREE && !this.#heldSeats.has(seat))
    if (this.#asking || this.#isClosed || isUnanswered || !lost.length) return
    this.#set(this.seats.filter((seat) => !lost.includes(seat)))
    this.tell.say(this.words.lost(this.#names(lost)))
    this.tell.event('soldelsewhere', { seats: this.#details(lost) })
  }

  holdSelection() {
    return this.#inTurn(async () => {
      const chosen = this.seats
      if (!this.hold) return chosen.length ? this.#take({ seats: this.#ids(chosen) }) : null
      if (!chosen.length) return this.#giveBack()
      const add = this.#ids(chosen.filter((seat) => !this.#heldSeats.has(seat)))
      const remove = this.#ids([...this.#heldSeats].filter((seat) => !chosen.includes(seat)))
      if (!add.length && !remove.length) return this.held
      return this.#change('change', chosen, { ...(add.length && { add }), ...(remove.length && { remove }) })
    })
  }

  best(quantity, category) {
    return this.#inTurn(async () => {
      const before = this.hold
      const taken = await this.#take({ quantity, ...(category && { category }) })
      if (before && !this.host.hold) await this.#ask('DELETE', before.holdToken).catch(() => {})
      return taken
    })
  }

  extend() { return this.#inTurn(() => this.hold && this.#change('extend', [...this.#heldSeats], {})) }

  release() { return this.#inTurn(() => this.#giveBack()) }

  resume(holdToken) { return this.#inTurn(async () => this.#keep(await this.#ask('GET', `${holdToken}`))) }

  forget() {
    this.#drop()
    this.#set([])
  }

  close() {
    this.#isClosed = true
    this.begin()
    if (this.hold || this.seats.length) this.forget()
  }

  async #giveBack() {
    if (this.hold) {
      const { holdToken } = this.hold
      await (this.host.hold ? this.host.hold([], { action: 'release', holdToken }) : this.#ask('DELETE', holdToken))
      this.tell.say(this.words.released)
    }
    this.forget()
    return null
  }

  async #take(wanted) {
    if (this.host.hold) return wanted.seats ? this.#byShop('take', wanted.seats) : this.#byShop('best', [], wanted)
    const hold = await this.#ask('POST', '', wanted)
    return this.#isClosed ? this.#ask('DELETE', hold.holdToken) : this.#keep(hold)
  }

  /** A change that fails may be done all the same: the hold is read again, and what is chosen stays. */
  async #change(action, seats, wanted) {
    const { holdToken } = this.hold
    try {
      if (this.host.hold) return await this.#byShop(action, this.#ids(seats))
      return this.#keep(await this.#ask('PATCH', holdToken, wanted))
    } catch (error) {
      const now = await this.#ask('GET', holdToken).catch((other) => { throw other.code === 'HOLD_EXPIRED' ? other : error })
      const chosen = this.seats
      if (this.#keep(now)) this.#set(chosen)
      throw error
    }
  }

  async #byShop(action, seats, wanted) {
    const given = await this.host.hold(seats, { action, holdToken: this.hold?.holdToken ?? null, ...wanted })
    const { token, holdToken = token, expiresAt } = given ?? {}
    const expiresInMs = given?.expiresInMs ?? Date.parse(expiresAt) - this.feed.now()
    if (isNaN(expiresInMs)) throw Object.assign(new Error(this.words.unavailable), given)
    return this.#keep({ holdToken, expiresAt, expiresInMs, seats: given.seats ?? seats })
  }

  #keep({ holdToken, expiresAt, expiresInMs, seats, prices = [] }) {
    if (this.#isClosed) return null
    const isNew = this.hold?.holdToken !== holdToken
    this.hold = { holdToken, expiresAt, endsAt: performance.now() + expiresInMs, endsOnClock: Date.now() + expiresInMs }
    const before = this.#heldSeats
    this.#heldSeats = new Set(seats.map((id) => this.feed.indexOf(id)).filter((seat) => seat !== undefined))
    this.#seenMs = expiresInMs
    prices.forEach((price, index) => this.offer?.setPrice(this.feed.indexOf(seats[index]), price))
    const held = [...this.#heldSeats]
    if (isNew || String([...before].sort()) !== String([...held].sort())) this.seats = held
    this.report()
    if (isNew) this.tell.say(this.words.heldNow(this.#names(this.seats), Math.round(expiresInMs / 60_000)))
    clearInterval(this.#timer)
    this.#timer = setInterval(() => this.#look(), 500)
    return this.held
  }

  // A clock may be set; the other one may stop while the machine sleeps.
  #leftMs() { return Math.max(0, Math.min(this.hold.endsAt - performance.now(), this.hold.endsOnClock - Date.now())) }

  #look() {
    if (this.host.hasAttribute('buying')) return // The answer to the purchase says whose seats they are.
    const leftMs = this.#leftMs()
    if (!leftMs) return this.#end()
    for (const [atMs, word] of SPOKEN_MS) if (leftMs <= atMs && atMs < this.#seenMs) this.tell.say(this.words[word])
    this.#seenMs = leftMs
  }

  #end() {
    clearInterval(this.#timer)
    const { holdToken } = this.hold
    return this.#inTurn(async () => {
      if (this.hold?.holdToken !== holdToken) return null
      const now = await this.#ask('GET', holdToken).catch(() => null)
      return now?.expiresInMs > 0 ? this.#keep(now) : this.#expire()
    })
  }

  #expire() {
    const { seats } = this.held
    this.forget()
    this.tell.say(this.words.expired)
    this.tell.event('holdexpired', { seats })
    return null
  }

  #drop() {
    clearInterval(this.#timer)
    const { hold } = this
    this.hold = null
    this.#heldSeats = new Set()
    if (hold) this.tell.event('holdchange', { hold: null })
  }

  /** One after the other; a refusal becomes the event `error`, and null. */
  #inTurn(act) {
    this.#asking++
    return this.#last = this.#last.then(() => (this.#isClosed ? null : act())).catch((error) => this.#failed(error)).finally(() => {
      this.#asking--
      this.lose()
      this.tell.drawn()
    })
  }

  #failed(error) {
    if (this.#isClosed) return null
    const { code = 'UNAVAILABLE', holdToken = this.hold?.holdToken } = error // A shop's names none.
    if (code === 'HOLD_EXPIRED' && holdToken && holdToken === this.hold?.holdToken) this.#expire()
    this.#refuse(code, error.message, error)
    return null
  }

  #refuse(code, message, { seats } = {}) {
    this.tell.say(this.words.refusals?.[code] ?? message)
    this.tell.event('error', { code, message, ...(seats && { seats }) })
  }

  /** Ask, again with the same key if no answer came. Throws with `code` and `holdToken`. */
  async #ask(method, holdToken, given) {
    const url = `${this.feed.api}/holds${holdToken && `/${holdToken}`}`
    const body = given && JSON.stringify(given)
    const headers = { 'Content-Type': 'application/json' }
    const endsAt = performance.now() + UNANSWERED_MS
    for (let attempt = 0, refusals = 0; ; attempt++) {
      // Insecure contexts have no `randomUUID`.
      if (!holdToken) headers['Idempotency-Key'] = this.#keys[body] ??= `map-${crypto.getRandomValues(new Uint32Array(4)).join('-')}`
      const response = await fetch(url, { method, headers, body, signal: AbortSignal.timeout(ANSWER_MS) }).catch(() => null)
      if (response?.status === 204) return null
      const answer = await response?.json().catch(() => null)
      const isBusy = response?.status === 503
      const isOver = !holdToken && answer?.code === 'HOLD_EXPIRED' // The hold of the key ended unseen.
      if (answer && !isBusy) delete this.#keys[body]
      if (answer && response.ok) return answer
      if (answer ? !isBusy && !isOver || ++refusals > RETRIES : performance.now() > endsAt) {
        throw Object.assign(new Error(this.words.offline), answer, { holdToken })
      }
      await new Promise((resolve) => { setTimeout(resolve, RETRY_MS * (attempt + Math.random())) })
    }
  }

  #ids(seats) { return seats.map((seat) => this.feed.ids[seat]) }
  #details(seats) { return seats.map((seat) => this.offer.details(seat)) }
}
