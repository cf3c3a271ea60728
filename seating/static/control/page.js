/** The control room: what the sale does now, what waits for a person, and what an operator can do about it. */

import { byId, element, show } from '../elements.js'
import { setSeats, showChosen, showSeatActs, showState } from './acts.js'
import { showAudit } from './audit.js'
import { confirm } from './confirm.js'
import { Decisions } from './decisions.js'
import { Events, stateOf } from './events.js'
import { duration, sellOut } from './figures.js'
import { OperatorsHall } from './hall.js'
import { Now } from './now.js'
import { count } from './numbers.js'
import { Place } from './place.js'
import { Purchases } from './purchases.js'
import { SeatStory } from './seat.js'
import { Session } from './session.js'

const EVERY_MS = 1_000
const LISTS_EVERY = 5
const LATE_MS = 4_000
const PLACES = { e: 'events-box', d: 'decisions-box', p: 'purchases-box', s: 'seats-box', a: 'audit-box' }

class ControlRoom {
  #session = new Session()
  #chosen = null
  #beats = 0
  #heardAt = 0
  #fault = ''
  #isRunning = false
  #listing = null
  #lateness = 0
  #choices = 0

  constructor() {
    this.#session.onRefused = (message) => this.#askForKey(message)
    this.now = new Now(this.#session)
    this.events = new Events(this.#session, (id) => this.#choose(id), () => this.#try(() => this.events.load(this.#chosen)))
    this.decisions = new Decisions(this.#session, (text, isBad) => this.#say(text, isBad))
    this.purchases = new Purchases(this.#session, (text, isBad) => this.#say(text, isBad), (seat) => {
      this.hall.chooseSeat(seat)
      return this.#showSeat(seat)
    })
    this.hall = new OperatorsHall(this.#session, {
      choice: () => showSeatActs(this.hall, (status, effect) => this.#set(status, effect)),
      counts: () => showChosen(this.hall),
      seat: (seat) => this.#showSeat(seat),
    })
    this.seat = new SeatStory(this.#session, (purchase) => this.#find(purchase), (act) => this.#try(act))
    this.place = new Place(document.querySelector('#room > header'), document.querySelector('main'))
    this.#listen()
  }

  async enter() {
    try {
      await this.#session.get('/api/v1/audit?limit=1')
    } catch (error) {
      if (error.status === 401) return
      if (error.status === 403) return this.#askForKey(error.message)
    }
    byId('door').hidden = true
    byId('room').hidden = false
    this.now.open()
    this.#lateness ||= setInterval(() => this.#showLateness(), EVERY_MS)
    if (!this.#isRunning) this.#beat()
  }

  #askForKey(message) {
    byId('room').hidden = true
    byId('door').hidden = false
    show(byId('door-error'), this.#session.key ? message : '')
    this.#session.key = ''
    byId('key').focus()
  }

  /** Once a second, one after the other. */
  async #beat() {
    this.#isRunning = true
    const startedAt = performance.now()
    if (!document.hidden && !byId('room').hidden) {
      try {
        const fault = await this.now.measure().catch((error) => error)
        if (this.#beats++ % LISTS_EVERY === 0) this.#listInTurn()
        if (this.#chosen) await this.events.loadOne(this.#chosen)
        this.#showEvent()
        this.#fault = fault?.message ?? ''
        if (!fault) this.#heardAt = Date.now()
      } catch (error) {
        this.#failed(error)
      }
    }
    setTimeout(() => this.#beat(), Math.max(100, EVERY_MS - (performance.now() - startedAt)))
  }

  #showLateness() {
    const lateMs = Date.now() - this.#heardAt
    const age = this.#heardAt && lateMs > LATE_MS ? `Numbers are ${duration(lateMs)} old. ` : ''
    show(byId('late'), age + this.#fault)
  }

  /** Long lists must not hold up the figures. */
  #listInTurn() {
    this.#listing ??= this.#list().catch((error) => this.#failed(error)).finally(() => { this.#listing = null })
  }

  /** No answer shows as numbers that grow old. What an act has just said is not talked over. */
  #failed(error) {
    const isQuiet = byId('speech').classList.contains('visually-hidden')
    if (isQuiet && error.status && error.status !== 401) this.#say(error.message, true)
  }

  /** One event is known while SQL is down, and can be paused: what lists it must not be waited for. */
  async #list() {
    await this.events.load(this.#chosen).catch((error) => this.#failed(error))
    const asked = new URLSearchParams(location.search).get('event')
    if (!this.#chosen && asked) await this.#choose(asked)
    if (!this.#chosen && this.events.all.length) {
      await this.#choose((this.events.all.find(({ state }) => state === 'on_sale') ?? this.events.all[0]).id)
    }
    this.#showEvent()
    await Promise.all([
      this.decisions.load(this.now.figures, this.event),
      this.purchases.load().catch(() => {}),
      showAudit(this.#session),
    ])
  }

  get event() { return this.events.find(this.#chosen) }

  async #choose(id) {
    const choice = ++this.#choices
    if (!this.events.find(id)) await this.events.loadOne(id).catch((error) => this.#say(error.message, true))
    if (choice !== this.#choices || !this.events.find(id)) return
    this.#chosen = id
    const { event } = this
    this.seat.clear()
    this.hall.show(event)
    this.#showEvent()
    await this.purchases.choose(event).catch((error) => this.#say(error.message, true))
  }

  #showEvent() {
    const { event } = this
    if (!event) return
    if (this.hall.event?.state === 'draft' && event.state !== 'draft') this.hall.show(event) // Now it has a feed.
    const select = byId('event')
    const offered = this.events.all.some(({ id }) => id === event.id) ? this.events.all : [event, ...this.events.all]
    const key = JSON.stringify(offered.map(({ id, name }) => [id, name]))
    if (select.dataset.key !== key) {
      select.dataset.key = key
      select.replaceChildren(...offered.map(({ id, name }) => element('option', { value: id }, name)))
    }
    select.value = event.id
    byId('sale').textContent = stateOf(event)
    byId('sale').dataset.state = event.state
    byId('sold').textContent = count(event.seatsSold)
    byId('left').textContent = count(event.seatsRemaining)
    byId('estimate').textContent = event.seatsRemaining === null ? 'This inventory is not available right now.'
      : event.state === 'on_sale' && event.selling ? sellOut(this.events.historyOf(event.id), event.seatsRemaining) : `It is ${stateOf(event)}.`
    byId('state-title').textContent = `The sale of ${event.name}`
    byId('seats-title').firstChild.textContent = `Seats of ${event.name} `
    byId('purchases-title').firstChild.textContent = `Purchases of ${event.name} `
    showState(event, (state, question) => this.#setState(event.id, state, question))
  }

  #showSeat(seat) { return this.#try(() => this.seat.show(this.#chosen, seat)) }

  #find(text) {
    return this.#try(async () => {
      if (text) await this.purchases.find(text)
      else await this.purchases.choose(this.event)
      byId('purchases-box').scrollIntoView({ block: 'start' })
    })
  }

  #set(status, effect) {
    return this.#try(async () => {
      const told = await setSeats(this.#session, this.#chosen, this.hall.ids, status, effect)
      if (!told) return
      this.hall.clear()
      this.hall.refresh()
      this.#say(told)
    })
  }

  #setState(id, state, question) {
    return this.#try(async () => {
      const answer = await confirm(question)
      if (!answer) return
      const changed = await this.#session.ask('PATCH', `/api/v1/events/${id}`, { state, ...(answer.why && { why: answer.why }) })
      this.#say(`${changed.name} is ${stateOf(changed)}.`)
      await this.events.load(this.#chosen).catch(() => {}) // It is read anew every few seconds anyway.
      this.#showEvent()
    })
  }

  async #try(act) {
    try {
      await act()
    } catch (error) {
      const which = error.seats?.length ? ` (${error.seats.slice(0, 5).join(', ')}${error.seats.length > 5 ? ' …' : ''})` : ''
      this.#say(`${error.message}${which}`, true)
    }
  }

  #say(text, isBad = false) {
    const box = byId('speech')
    box.textContent = text
    box.classList.toggle('toast', true)
    box.classList.toggle('danger', isBad)
    box.classList.remove('visually-hidden')
    clearTimeout(this.saying)
    this.saying = setTimeout(() => box.classList.add('visually-hidden'), 6000)
  }

  #listen() {
    byId('door').addEventListener('submit', (event) => {
      event.preventDefault()
      this.#session.key = byId('key').value.trim()
      byId('key').value = ''
      this.enter()
    })
    byId('leave').addEventListener('click', () => {
      this.#session.key = ''
      location.reload()
    })
    byId('event').addEventListener('change', ({ target }) => this.#choose(target.value))
    byId('search').addEventListener('submit', (event) => {
      event.preventDefault()
      this.#find(byId('find').value.trim())
    })
    let isGoing = false
    addEventListener('keydown', (event) => {
      if (event.target.closest('input, select, textarea, dialog') || event.ctrlKey || event.metaKey || event.altKey) return
      if (event.key === '/') {
        event.preventDefault()
        byId('find').focus()
      }
      const box = isGoing && PLACES[event.key]
      if (box) {
        byId(box).scrollIntoView({ block: 'start' })
        byId(box).focus({ preventScroll: true })
      }
      isGoing = event.key === 'g'
    })
  }
}

document.documentElement.dataset.theme = new URLSearchParams(location.search).get('theme') ?? 'dark'
new ControlRoom().enter()
