/** The table of events: what is sold, left and earned, and how it goes. */

import { byId, element } from '../elements.js'
import { sparkline } from './chart.js'
import { amount, count } from './numbers.js'

const KEPT = 60
const INCOMES_EVERY_MS = 10_000
const MOST_INCOMES = 10
const MOST_SAMPLES = 600
const LONGEST_LIST = 50

export class Events {
  all = []
  #sold = new Map()
  #incomes = new Map()
  #incomesAt = 0
  #rows = new Map()
  /** The event that is looked at, which need not be on this page. */
  #one = null
  /** Where the pages up to this one begin. */
  #cursors = ['']
  #next = null
  #state = ''

  /** `onChoose` is called with the id of an event, `onPage` when another page is wanted. */
  constructor(session, onChoose, onPage) {
    Object.assign(this, { session, onChoose, onPage })
    const turn = (act) => () => {
      act()
      this.#incomesAt = 0
      this.onPage()
    }
    byId('events-next').addEventListener('click', turn(() => this.#next && this.#cursors.push(this.#next)))
    byId('events-before').addEventListener('click', turn(() => this.#cursors.length > 1 && this.#cursors.pop()))
    const filter = byId('events-state')
    filter.addEventListener('change', turn(() => {
      this.#state = filter.value
      this.#cursors = ['']
    }))
  }

  find(id) {
    return this.#one?.id === id ? this.#one : this.all.find((event) => event.id === id)
  }

  /** Sales of an event as `[ms, sold]`, oldest first. */
  historyOf(id) {
    return this.#sold.get(id) ?? []
  }

  async load(chosen) {
    const [cursor, state] = [this.#cursors.at(-1), this.#state]
    const query = new URLSearchParams({ limit: LONGEST_LIST, ...(cursor && { cursor }), ...(state && { state }) })
    const { events, next } = await this.session.get(`/api/v1/events?${query}`)
    if (cursor !== this.#cursors.at(-1) || state !== this.#state) return
    this.all = events
    this.#next = next
    for (const event of events) this.#note(event)
    const now = Date.now()
    if (now - this.#incomesAt > INCOMES_EVERY_MS) {
      this.#incomesAt = now
      const first = events.filter(({ id }) => id === chosen)
      const others = events.filter(({ id, state }) => id !== chosen && state === 'on_sale')
      await this.#loadIncomes([...first, ...others].slice(0, MOST_INCOMES))
    }
    this.#show(chosen)
  }

  /** Get one event anew: that at which the operator looks, between two lists. */
  async loadOne(id) {
    const event = (this.#one = await this.session.get(`/api/v1/events/${id}`))
    this.all = this.all.map((known) => (known.id === id ? event : known))
    this.#note(event)
    if (this.#rows.has(id)) this.#fill(this.#rows.get(id), event, true)
  }

  #note({ id, seatsSold }) {
    if (seatsSold === null) return
    const history = this.#sold.get(id) ?? []
    history.push([Date.now(), seatsSold])
    if (history.length > MOST_SAMPLES) history.shift()
    this.#sold.set(id, history)
  }

  async #loadIncomes(events) {
    for (const { id } of events) {
      const income = await this.session.get(`/api/v1/events/${id}/income`).catch(() => null)
      if (income) this.#incomes.set(id, income)
    }
  }

  #show(chosen) {
    const table = byId('events')
    if (!table.tHead) {
      const names = ['Event', 'State', 'Sold', 'Held, blocked', 'Left', 'Income', 'Sales']
      table.append(
        element(
          'thead',
          {},
          element(
            'tr',
            {},
            ...names.map((name, index) =>
              element('th', { scope: 'col', class: index > 1 && index < 6 ? 'end' : null }, name),
            ),
          ),
        ),
        element('tbody'),
      )
    }
    const [body] = table.tBodies
    const shown = new Set(this.all.map(({ id }) => id))
    for (const [id, row] of this.#rows) {
      if (shown.has(id)) continue
      row.remove()
      this.#rows.delete(id)
      this.#incomes.delete(id)
      if (id !== chosen) this.#sold.delete(id)
    }
    this.all.forEach((event, index) => {
      const row = this.#rowOf(event)
      if (body.rows[index] !== row) body.insertBefore(row, body.rows[index] ?? null)
      this.#fill(row, event, event.id === chosen)
    })
    const number = this.#cursors.length
    byId('events-pages').hidden = number === 1 && !this.#next
    byId('events-page').textContent = `Page ${number}`
    byId('events-before').disabled = number === 1
    byId('events-next').disabled = !this.#next
  }

  #rowOf({ id, name }) {
    const choose = () => this.onChoose(id)
    const known = this.#rows.get(id) ?? element(
      'tr',
      {},
      element('th', { scope: 'row' }, element('button', { class: 'plain', type: 'button', onclick: choose }, name)),
      element('td', {}),
      ...Array.from({ length: 4 }, () => element('td', { class: 'number end' })),
      element('td', {}),
    )
    this.#rows.set(id, known)
    return known
  }

  #fill(row, event, isChosen) {
    const [name, state, sold, held, left, earned, line] = row.cells
    row.classList.toggle('chosen', isChosen)
    name.firstChild.setAttribute('aria-current', String(isChosen))
    if (name.firstChild.textContent !== event.name) name.firstChild.textContent = event.name
    state.textContent = stateOf(event)
    const isKnown = event.seatsSold !== null
    sold.textContent = count(event.seatsSold)
    held.textContent = isKnown ? count(event.totalSeats - event.seatsSold - event.seatsRemaining) : '–'
    left.textContent = count(event.seatsRemaining)
    const income = this.#incomes.get(event.id)
    earned.textContent = earnedIn(income)
    const history = this.historyOf(event.id).slice(-KEPT - 1)
    const sales = history.slice(1).map(([, value], index) => Math.max(0, value - history[index][1]))
    line.replaceChildren(sales.length > 1 ? sparkline(sales) : '')
  }
}

function earnedIn(income) {
  if (!income?.currency) return '–'
  return [income, ...income.otherCurrencies].map((each) => amount(each.income, each.currency)).join(' + ')
}

/** Return an event's state in words. */
export function stateOf(event) {
  if (event.state === 'on_sale' && !event.selling) {
    return event.opensAt && Date.parse(event.opensAt) > Date.now() ? 'opens later' : 'sale is over'
  }
  return (
    { on_sale: 'on sale', paused: 'paused', closed: 'closed', draft: 'draft', unavailable: 'unavailable' }[
      event.state
    ] ?? event.state
  )
}
