/** The buyer's page: one event, from the choice of seats to the receipt. */

import '../seating-map.js'
import { byId } from '../elements.js'
import { Held } from './hold.js'
import { Opening } from './opening.js'
import { label, listen, showEvent, showState } from './panel.js'
import { complete, Memory, prepare } from './purchase.js'
import { showReceipt } from './receipt.js'
import { phaseOf, stateOf } from './sale.js'
import { Sheet } from './sheet.js'
import { errorText, language, words } from './words.js'

const MOST_SEATS = 10
const TICK_MS = 100 // Hundreds of changes in it are one rendering.
const COUNTED_TICKS = 3

class BuyersPage {
  event = null
  selection = []
  quantity = 2
  category = null
  connection = 'catchingup'
  /** `hold` or `buy` while a request is under way, else null. */
  busy = null
  notice = null
  isMissing = false
  isResuming = false
  opening = new Opening()
  #taken = null
  #isNews = false
  #ticks = 0

  constructor(eventId) {
    this.eventId = eventId
    this.map = document.createElement('seating-map')
    this.memory = new Memory(eventId)
    this.held = new Held(this.path, this.memory)
    this.sheet = new Sheet(byId('panel'), byId('grip'))
    label()
    this.#listen()
  }

  start() {
    this.render()
    this.#embed(new URLSearchParams(location.search).get('theme') ?? 'auto')
    setInterval(() => this.#tick(), TICK_MS)
    if (this.purchase && !this.purchase.answer) this.#complete()
  }

  get path() { return `/api/v1/events/${this.eventId}` }

  get phase() { return phaseOf(this) }

  get purchase() { return this.memory.purchase }

  /** The server's time in ms since 1970. */
  get now() { return this.map.feed?.now() ?? Date.now() }

  get left() { return this.map.feed?.seatsRemaining ?? this.event?.seatsRemaining ?? null }

  get most() { return Math.min(MOST_SEATS, this.event?.maxPerPurchase ?? MOST_SEATS) }

  get state() { return { ...stateOf(this), onRemove: (seat) => this.busy || this.map.deselect([seat.id]) } }

  render() {
    showState(this.state)
    if (this.phase === 'before') this.opening.show(this.now)
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
    this.opening.take(event)
    showEvent(event)
    if (isFirst && this.phase === 'before') this.sheet.height = 'half'
    this.render()
  }

  #embed(theme) {
    const { map } = this
    document.documentElement.dataset.theme = theme
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
      if (!this.notice?.act || seats.length > this.selection.length) this.notice = null
      this.selection = seats
    })
    on('holdchange', ({ hold }) => this.#holdChanged(hold))
    on('holdexpired', () => this.purchase || this.#tell(words.expired, true))
    on('soldelsewhere', ({ seats }) => this.#lost(seats))
    for (const name of ['live', 'catchingup', 'offline']) on(name, () => this.#connected(name))
    on('error', (error) => this.#failed(error))
    byId('hall').append(map)
    for (const name of ['seats', 'snapshot', 'event']) map.feed.addEventListener(name, () => { this.#isNews = true })
  }

  #connected(connection) {
    this.connection = connection
    if (connection === 'live') this.#resume()
  }

  /** Show the hold that this tab remembers and the map does not. */
  async #resume() {
    const token = this.memory.holdToken
    if (!token || this.map.held || this.purchase || this.busy || this.isResuming) return
    this.isResuming = true
    await this.map.resume(token)
    this.isResuming = false
  }

  /** The map has said it. */
  #failed({ code, message }) {
    if (code === 'EVENT_NOT_FOUND') this.isMissing = true
    else if (code === 'HOLD_EXPIRED' && (this.isResuming || this.purchase)) this.held.forget() // Long over, or bought.
    else if (code !== 'NOT_ON_SALE' || this.phase !== 'closed') this.#tell(errorText({ code, message }), true)
  }

  #holdChanged(hold) {
    if (!hold) return this.#holdEnded()
    this.notice = null
    if (this.held.take(hold) && this.sheet.height === 'peek') this.sheet.height = 'half'
    if (!this.event.seated) this.held.ask().then(() => this.render(), () => {}) // It is asked for again when it is bought.
  }

  /** A duplicated tab has the same hold, and may have bought it. */
  #holdEnded() {
    if (this.purchase) return
    const bought = this.memory.ofHold(this.held.token)
    this.held.forget()
    if (!bought) return
    this.memory.purchase = bought
    if (bought.answer) this.sheet.height = 'full'
    else this.#complete()
  }

  #lost(seats) {
    const count = seats.length + this.selection.length
    const category = this.event.categories ? seats[0].category : null
    this.notice = {
      text: words.taken(seats.map((seat) => words.seat(seat)).join('; ')),
      act: { text: words.others(count), do: () => this.#find(count, category) },
      isSpoken: true,
    }
    if (this.sheet.height === 'peek') this.sheet.height = 'half'
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
    if (this.held.isHeld && !this.state.isChanged) this.#buy()
    else if (!this.event.seated) this.#find(this.quantity, this.category)
    else this.#work('hold', () => this.map.holdSelection())
  }

  #buy() {
    return this.#work('buy', async () => {
      if (!(await this.held.isAsShown(this.map))) return
      prepare(this.memory, this.held.token, this.held.seats)
      this.#complete()
    })
  }

  async #complete() {
    this.map.setAttribute('buying', '')
    this.render()
    const refusal = await complete(this.eventId, this.memory, () => this.#tell(words.again)).catch((error) => error)
    this.map.removeAttribute('buying')
    if (this.purchase) this.sheet.height = 'full'
    if (this.purchase || refusal.code === 'HOLD_EXPIRED') {
      this.held.forget()
      this.map.forget() // Clears the notice, with the selection.
    }
    this.notice = refusal ? { text: errorText(refusal) } : null
    this.render()
    this.#resume()
  }

  #beginAnew() {
    this.memory.leave()
    this.notice = null
    this.sheet.height = 'peek'
    this.render()
    byId('grip').focus()
  }

  /** `isSpoken`: the map's own voice has said it. */
  #tell(text, isSpoken = false) {
    this.notice = { text, isSpoken }
    this.render()
  }

  #tick() {
    this.#take()
    const { phase } = this
    const isCounted = ['held', 'before'].includes(phase) && ++this.#ticks % COUNTED_TICKS === 0
    if (isCounted || this.#isNews || phase !== this.lastPhase) this.render()
    this.lastPhase = phase
    this.#isNews = false
  }

  #listen() {
    listen({
      main: () => this.#main(),
      step: (by) => {
        this.quantity = Math.min(this.most, Math.max(1, this.quantity + by))
        this.render()
      },
      choose: (category) => {
        this.category = category
        this.render()
      },
      find: () => this.#find(this.quantity, this.category),
      extend: () => this.#extend(),
      release: () => this.#work('hold', () => this.map.release()),
      notice: () => this.notice?.act?.do(),
    })
    // A page that comes back from the browser's memory may show what is long over.
    addEventListener('pageshow', ({ persisted }) => persisted && location.reload())
  }

  #extend() {
    const before = this.held.leftMs
    return this.#work('hold', async () => {
      if (await this.map.extend()) this.#tell(this.held.leftMs > before + 1000 ? words.extended : words.longest)
    })
  }
}

new BuyersPage(document.body.dataset.event).start()
