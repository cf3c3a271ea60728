/** Purchases of an event: found by id, reference or seat, and cancelled, whole or in part. */

import { byId, element } from '../elements.js'
import { cancel } from './cancel.js'
import { amount, moment } from './numbers.js'

const LONGEST_LIST = 15

export class Purchases {
  #event = null
  #cursor = ''
  #found = null
  #shown = ''

  /** `onSeat` shows the history of a seat. */
  constructor(session, say, onSeat) {
    Object.assign(this, { session, say, onSeat })
  }

  async choose(event) {
    this.#event = event
    this.#cursor = ''
    this.#found = null
    await this.load()
  }

  /** Find by a purchase's id, a reference, or the id of a seat. Throws a refusal, but not that there is none. */
  async find(text) {
    const event = this.#event
    this.#found = null
    const found = (await this.#byId(text)) ?? (await this.#byReference(event, text)) ?? (await this.#bySeat(event, text))
    if (event !== this.#event) return
    this.#found = found ?? []
    this.#show(this.#found, null, text)
  }

  async #byId(text) {
    if (!/^[a-z0-9-]+\.\d+-\d+\.[0-9a-f]+$/.test(text)) return null
    const one = await this.#getIfThere(`/api/v1/purchases/${text}`)
    return one && [one]
  }

  async #byReference({ id }, text) {
    const answer = await this.#getIfThere(`/api/v1/events/${id}/purchases?reference=${encodeURIComponent(text)}`)
    return answer?.purchases.length ? answer.purchases : null
  }

  async #bySeat(event, text) {
    if (!event.seated) return null
    const path = `/api/v1/events/${event.id}/seats/${encodeURIComponent(text)}/history?limit=5`
    const history = (await this.#getIfThere(path))?.history ?? []
    if (history.length && event === this.#event) this.onSeat(text)
    const id = history.find(({ purchaseId }) => purchaseId)?.purchaseId
    const one = id && (await this.#getIfThere(`/api/v1/purchases/${id}`))
    return one ? [one] : null
  }

  async #getIfThere(path) {
    try {
      return await this.session.get(path)
    } catch (error) {
      if (![400, 404].includes(error.status)) throw error
      return null
    }
  }

  async load() {
    if (this.#found) return
    const [event, cursor] = [this.#event, this.#cursor]
    const path = `/api/v1/events/${event.id}/purchases?limit=${LONGEST_LIST}${cursor && `&cursor=${cursor}`}`
    const { purchases, next } = await this.session.get(path)
    const isWanted = !this.#found && event === this.#event && cursor === this.#cursor
    if (isWanted) this.#show(purchases, next)
  }

  #show(purchases, next, searched = '') {
    const shown = JSON.stringify([this.#event.id, purchases, next, searched])
    if (shown === this.#shown) return
    this.#shown = shown
    const focused = document.activeElement?.closest?.('#purchases tr')?.dataset.id
    const table = element(
      'table',
      {},
      element(
        'thead',
        {},
        element(
          'tr',
          {},
          ...['Purchase', 'At', 'Seats', 'Reference', 'Total', 'State', 'Act'].map((name) =>
            element('th', { scope: 'col' }, name),
          ),
        ),
      ),
      element('tbody', {}, ...purchases.map((purchase) => this.#row(purchase))),
    )
    const told =
      searched && !purchases.length
        ? `Nothing has the id, the reference or the seat “${searched}”.`
        : !purchases.length
          ? 'Nothing is recorded yet.'
          : ''
    const more = (label, act) => element('button', { class: 'plain', type: 'button', onclick: act }, label)
    byId('purchases').replaceChildren(
      told ? element('p', { class: 'quiet' }, told) : element('div', { class: 'scroll' }, table),
      element(
        'div',
        { class: 'row' },
        (searched || this.#cursor) && more('Newest', () => this.choose(this.#event).catch((error) => this.say(error.message, true))),
        next &&
          more('Older', () => {
            this.#cursor = next
            this.load().catch((error) => this.say(error.message, true))
          }),
      ),
    )
    if (focused)
      byId('purchases')
        .querySelector(`[data-id="${CSS.escape(focused)}"] button`)
        ?.focus()
  }

  #row(purchase) {
    const { purchaseId, purchasedAt, seats, quantity, reference, total, currency, state, cancelledQuantity, cancelledSeats } = purchase
    const left = quantity - cancelledQuantity
    const told = cancelledQuantity && left ? `${state}, ${cancelledQuantity} cancelled` : state
    return element(
      'tr',
      { 'data-id': purchaseId },
      element('th', { scope: 'row' }, element('code', {}, purchaseId)),
      element('td', { class: 'number' }, moment(purchasedAt)),
      element(
        'td',
        {},
        ...(seats.length
          ? seats.flatMap((seat, index) => [index ? ', ' : '', element(cancelledSeats.includes(seat) ? 's' : 'span', {}, seat)])
          : [`${quantity} places`]),
      ),
      element('td', {}, reference ?? ''),
      element('td', { class: 'number' }, currency ? amount(total, currency) : ''),
      element('td', {}, told),
      element(
        'td',
        {},
        left ? element('button', { type: 'button', onclick: () => this.#cancel(purchase) }, 'Cancel') : '',
      ),
    )
  }

  async #cancel(purchase) {
    try {
      const told = await cancel(this.session, purchase)
      if (!told) return
      this.say(told)
    } catch (error) {
      this.say(error.message, true)
    }
    if (this.#found) await this.find(purchase.purchaseId)
    else await this.load()
  }
}
