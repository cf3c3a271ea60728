/** The table of events: what is sold, left and earned, and how it goes. */

import { byId, element } from '../elements.js'
import { sparkline } from './chart.js'
import { amount, count } from './numbers.js'

const KEPT = 60
const INCOMES_EVERY_MS = 10_000
const MOST_SAMPLES = 600
const LONGEST_LIST = 50

export class Events {
  all = []
  #sold = new Map()
  #incomes = new Map()
  #incomesAt = 0
  #rows = new Map()

  /** `onChoose` is called with the id of an event. */
  constructor(session, onChoose) {
    Object.assign(this, { session, onChoose })
  }

  find(id) {
    return this.all.find((event) => event.id === id)
  }

  /** Sales of an event as `[ms, sold]`, oldest first. */
  historyOf(id) {
    return this.#sold.get(id) ?? []
  }

  async load(chosen) {
    const { events } = await this.session.get(`/api/v1/events?limit=${LONGEST_LIST}`)
    this.all = events
    for (const event of events) this.#note(event)
    const now = Date.now()
    if (now - this.#incomesAt > INCOMES_EVERY_MS) {
      this.#incomesAt = now
      await this.#loadIncomes(events.filter(({ id, state }) => id === chosen || state === 'on_sale').slice(0, 10))
    }
    this.#show(chosen)
  }

  /** Get one event anew: that at which the operator looks, between two lists. */
  async loadOne(id) {
    const event = await this.session.get(`/api/v1/events/${id}`)
    this.all = this.all.map((known) => (known.id === id ? event : known))
    this.#note(event)
    this.#showRow(byId('events').tBodies[0], event, true)
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
    for (const event of this.all) this.#showRow(table.tBodies[0], event, event.id === chosen)
    for (const [id, row] of this.#rows) {
      if (!this.find(id)) {
        row.remove()
        this.#rows.delete(id)
      }
    }
  }

  #showRow(body, event, isChosen) {
    let row = this.#rows.get(event.id)
    if (!row) {
      row = element(
        'tr',
        {},
        element(
          'th',
          { scope: 'row' },
          element('button', { class: 'plain', type: 'button', onclick: () => this.onChoose(event.id) }, event.name),
        ),
        element('td', {}),
        ...Array.from({ length: 4 }, () => element('td', { class: 'number end' })),
        element('td', {}),
      )
      this.#rows.set(event.id, row)
      body.append(row)
    }
    const [name, state, sold, held, left, earned, line] = row.cells
    row.classList.toggle('chosen', isChosen)
    name.firstChild.setAttribute('aria-current', String(isChosen))
    if (name.firstChild.textContent !== event.name) name.firstChild.textContent = event.name
    state.textContent = stateOf(event)
    const isKnown = event.seatsSold !== null
    sold.textContent = isKnown ? count(event.seatsSold) : '–'
    held.textContent = isKnown ? count(event.totalSeats - event.seatsSold - event.seatsRemaining) : '–'
    left.textContent = isKnown ? count(event.seatsRemaining) : '–'
    const income = this.#incomes.get(event.id)
    earned.textContent = income?.currency ? amount(income.income, income.currency) : '–'
    const history = this.historyOf(event.id).slice(-KEPT - 1)
    const sales = history.slice(1).map(([, value], index) => Math.max(0, value - history[index][1]))
    line.replaceChildren(sales.length > 1 ? sparkline(sales) : '')
  }
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
