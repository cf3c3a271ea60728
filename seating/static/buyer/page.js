/** The buyer's page: one event, from the choice of seats to the receipt. */

import '../seating-map.js'
import { byId, isEnabled } from '../elements.js'
import { ask, now } from '../requests.js'
import { label, showEvent, showOpening, showState } from './panel.js'
import { complete, Memory, prepare } from './purchase.js'
import { showReceipt } from './receipt.js'
import { Sheet } from './sheet.js'
import { errorText, language, words } from './words.js'

const MOST_SEATS = 10
const TICK_MS = 250
const SPREAD_MS = 1_000

class BuyersPage {
  event = null
  selection = []
  held = null
  /** The hold as the server told it, with prices; null without one. */
  hold = null
  quantity = 2
  category = null
  connection = 'catchingup'
  /** `hold` or `buy` while a request is under way, else null. */
  busy = null
  notice = null
  isMissing = false
  isResuming = false
  /** When this page opens the sale: the time of the event, and a part of a second of its own. */
  opensAtMs = 0
  #taken = null

  constructor(eventId) {
    this.eventId = eventId
    this.map = document.createElement('seating-map')
    this.memory = new Memory(eventId)
    this.purchase = this.memory.purchase
    this.sheet = new Sheet(byId('panel'), byId('grip'))
    label()
    this.#listen()
  }

  start() {
    const theme = new URLSearchParams(location.search).get('theme') ?? 'auto'
    if (theme !== 'auto') document.documentElement.dataset.theme = theme
    this.render()
    this.#embed(theme)
    setInterval(() => this.#tick(), TICK_MS)
    if (this.purchase && !this.purchase.answer) this.#complete()
  }

  get path() { return `/api/v1/events/${this.eventId}` }

  get phase() {
    if (this.isMissing) return 'missing'
    if (!this.event) return 'loading'
    if (this.purchase) return this.purchase.answer ? 'receipt' : 'buying'
    if (this.event.state === 'closed' || this.#hasEnded) return 'closed'
    if (this.held) return 'held'
    if (['paused', 'unavailable'].includes(this.event.state)) return this.event.state
    if (this.opensAtMs > now()) return 'before'
    return this.left === 0 && !this.selection.length ? 'soldout' : 'choose'
  }

  get left() { return this.map.feed?.seatsRemaining ?? this.event?.seatsRemaining ?? null }

  get most() { return Math.min(MOST_SEATS, this.event?.maxPerPurchase ?? MOST_SEATS) }

  get #hasEnded() { return Boolean(this.event.closesAt) && Date.parse(this.event.closesAt) <= now() }

  get leftMs() {
    if (!this.hold) return 0
    return Math.max(0, Math.min(this.hold.endsAt - performance.now(), this.hold.endsOnClock - Date.now()))
  }

  get state() {
    const heldIds = new Set(this.held?.seats.map((seat) => seat.id))
    const isChanged = this.event?.seated !== false
      && (heldIds.size !== this.selection.length || this.selection.some((seat) => !heldIds.has(seat.id)))
    const total = this.held && !isChanged && this.hold ? this.hold.total : this.selection.reduce((sum, seat) => sum + (seat.price ?? 0), 0)
    const { event, phase, selection, held, hold, quantity, category, busy, notice, left, most, leftMs } = this
    return {
      event, phase, selection, held, hold, quantity, category, busy, notice, left, most, leftMs, isChanged, total,
      isOffline: this.connection === 'offline', leftMsToOpening: this.opensAtMs - now(), onRemove: (seat) => this.#remove(seat),
    }
  }

  render() {
    showState(this.state)
    if (this.phase === 'before') showOpening(this.event.opensAt, this.opensAtMs - now())
    if (this.phase === 'receipt') showReceipt(this.event, this.purchase, () => this.#beginAnew())
    else byId('receipt').hidden = true
  }

  /** Take what the feed knows of the event, if that is news. */
  #take() {
    const { event } = this.map.feed ?? {}
    if (!event || event === this.#taken) return
    const isFirst = !this.#taken
    this.event = this.#taken = event
    this.quantity = Math.min(this.quantity, this.most)
    this.map.setAttribute('max', this.most)
    const opensAtMs = event.opensAt && !event.selling ? Date.parse(event.opensAt) : 0
    if (Math.floor(this.opensAtMs / SPREAD_MS) !== Math.floor(opensAtMs / SPREAD_MS)) {
      this.opensAtMs = opensAtMs && opensAtMs + Math.random() * SPREAD_MS
    }
    showEvent(event)
    if (isFirst && this.phase === 'before') this.sheet.height = 'half'
    this.render()
  }

  #embed(theme) {
    const { map } = this
    map.setAttribute('event', this.eventId)
    map.setAttribute('lang', language)
    map.setAttribute('theme', theme)
    const on = (name, act) => map.addEventListener(name, ({ detail }) => {
      this.#take()
      act(detail ?? {})
      this.render()
    })
    on('ready', () => this.#resume())
    on('selectionchange', ({ seats }) => {
      this.selection = seats
      if (!this.notice?.act) this.notice = null
    })
    on('holdchange', ({ hold }) => this.#holdChanged(hold))
    on('holdexpired', () => this.#expired())
    on('soldelsewhere', ({ seats }) => this.#lost(seats))
    for (const name of ['live', 'catchingup', 'offline']) on(name, () => { this.connection = name })
    on('error', ({ code }) => this.#failed(code))
    byId('hall').append(map)
    map.feed.addEventListener('seats', () => this.render())
  }

  async #resume() {
    const token = this.memory.holdToken
    if (!token || this.held || this.purchase) return
    this.isResuming = true
    await this.map.resume(token)
    this.isResuming = false
  }

  #failed(code) {
    if (code === 'EVENT_NOT_FOUND') this.isMissing = true
    else if (this.isResuming && code === 'HOLD_EXPIRED') this.memory.holdToken = null // Long over: no news.
    else this.#tell(errorText({ code }))
  }

  #holdChanged(held) {
    const isNew = held?.holdToken !== this.held?.holdToken
    this.held = held
    if (held) {
      this.notice = null
      const { expiresInMs } = held
      const known = isNew ? {} : this.hold
      this.hold = { ...known, endsAt: performance.now() + expiresInMs, endsOnClock: Date.now() + expiresInMs }
      this.hold.total = held.seats.reduce((sum, seat) => sum + (seat.price ?? 0), 0)
      this.memory.holdToken = held.holdToken
      if (!this.event.seated) this.#askForHold(held.holdToken)
      if (isNew && this.sheet.height === 'peek') this.sheet.height = 'half'
    } else if (!this.purchase) {
      this.hold = null
      this.memory.holdToken = null
    }
  }

  /** Places of general admission have no names, so only the server knows what is held. */
  async #askForHold(token) {
    const { quantity, categories, prices, total } = await ask('GET', `${this.path}/holds/${token}`).catch(() => ({}))
    if (this.held?.holdToken !== token) return
    Object.assign(this.hold, { quantity, categories, prices, total })
    this.render()
  }

  #expired() {
    this.held = this.hold = null
    this.memory.holdToken = null
    this.#tell(words.expired)
  }

  #lost(seats) {
    const count = seats.length
    const [{ category }] = seats
    this.notice = {
      text: words.taken(seats.map((seat) => words.seat(seat)).join('; ')),
      act: { text: words.others(count), do: () => this.#find(count + this.selection.length, this.event.categories ? category : null) },
    }
    if (this.sheet.height === 'peek') this.sheet.height = 'half'
  }

  #remove(seat) {
    if (!this.busy) this.map.deselect([seat.id])
  }

  /** Do one thing at a time. */
  async #work(busy, act) {
    if (this.busy) return
    this.busy = busy
    this.notice = null
    this.render()
    try {
      await act()
    } catch (error) {
      this.#tell(errorText(error))
    }
    this.busy = null
    this.render()
  }

  #find(quantity, category) { return this.#work('hold', () => this.map.best(quantity, category ?? undefined)) }

  #main() {
    if (!isEnabled(byId('main'))) return
    const { isChanged } = this.state
    if (this.held && !isChanged) this.#buy()
    else if (!this.event.seated) this.#find(this.quantity, this.category)
    else this.#work('hold', () => this.map.holdSelection())
  }

  #buy() {
    if (this.purchase) return
    const token = this.held.holdToken
    prepare(this.memory, token, this.held.seats)
    this.purchase = this.memory.purchase
    this.#complete()
  }

  async #complete() {
    this.render()
    try {
      this.purchase = await complete(this.eventId, this.memory, () => this.#tell(words.again))
      this.notice = null
      this.sheet.height = 'full'
    } catch (error) {
      this.purchase = null
      this.#tell(errorText(error))
      if (error.code !== 'HOLD_EXPIRED') return this.render()
    }
    this.held = this.hold = null
    this.memory.holdToken = null
    this.map.forget()
    this.render()
  }

  #beginAnew() {
    this.purchase = this.memory.purchase = null
    this.notice = null
    this.sheet.height = 'peek'
    this.render()
    byId('panel').scrollTo(0, 0)
    byId('grip').focus()
  }

  #tell(text) {
    this.notice = { text }
    byId('speech').textContent = text
    this.render()
  }

  #tick() {
    this.#take()
    const { phase } = this
    if (phase === 'held' || phase === 'before' || phase !== this.lastPhase) this.render()
    this.lastPhase = phase
  }

  #listen() {
    byId('main').addEventListener('click', () => this.#main())
    const steps = [['fewer', -1], ['more', 1]]
    for (const [id, by] of steps) {
      byId(id).addEventListener('click', () => {
        this.quantity = Math.min(this.most, Math.max(1, this.quantity + by))
        this.render()
      })
    }
    byId('finder').addEventListener('submit', (event) => {
      event.preventDefault()
      if (isEnabled(byId('find'))) this.#find(this.quantity, this.category)
    })
    byId('categories').addEventListener('change', ({ target }) => {
      this.category = target.value || null
      this.render()
    })
    byId('extend').addEventListener('click', () => isEnabled(byId('extend')) && this.#extend())
    byId('release').addEventListener('click', () => isEnabled(byId('release')) && this.#work('hold', () => this.map.release()))
    byId('notice-act').addEventListener('click', () => this.notice?.act?.do())
    // A page that comes back from the browser's memory may show what is long over.
    addEventListener('pageshow', ({ persisted }) => persisted && location.reload())
  }

  #extend() {
    const before = this.leftMs
    return this.#work('hold', async () => {
      await this.map.extend()
      if (this.held) this.#tell(this.leftMs > before + 1000 ? words.extended : words.longest)
    })
  }
}

new BuyersPage(document.body.dataset.event).start()
