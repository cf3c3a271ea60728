/** Purchases of an event: found by id, reference or seat, and cancelled. */

import { byId, element } from '../elements.js'
import { confirm } from './confirm.js'
import { amount, moment } from './numbers.js'

const LONGEST_LIST = 15

export class Purchases {
  #event = null
  #cursor = ''
  #found = null

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

  /** Find by a purchase's id, a reference, or the id of a seat. */
  async find(text) {
    const event = this.#event.id
    this.#found = null
    if (/^[a-z0-9-]+\.\d+-\d+\.[0-9a-f]+$/.test(text)) {
      const one = await this.session.get(`/api/v1/purchases/${text}`).catch(() => null)
      if (one) this.#found = [one]
    }
    if (!this.#found) {
      const { purchases } = await this.session
        .get(`/api/v1/events/${event}/purchases?reference=${encodeURIComponent(text)}`)
        .catch(() => ({ purchases: [] }))
      if (purchases.length) this.#found = purchases
    }
    if (!this.#found && this.#event.seated) {
      const path = `/api/v1/events/${event}/seats/${encodeURIComponent(text)}/history?limit=5`
      const { history } = await this.session.get(path).catch(() => ({ history: [] }))
      const id = history.find(({ purchaseId }) => purchaseId)?.purchaseId
      const one = id && (await this.session.get(`/api/v1/purchases/${id}`).catch(() => null))
      if (one) this.#found = [one]
      if (history.length) this.onSeat(text)
    }
    this.#found ??= []
    this.#show(this.#found, null, text)
  }

  async load() {
    if (this.#found) return
    const path = `/api/v1/events/${this.#event.id}/purchases?limit=${LONGEST_LIST}${this.#cursor && `&cursor=${this.#cursor}`}`
    const { purchases, next } = await this.session.get(path)
    if (!this.#found) this.#show(purchases, next)
  }

  #show(purchases, next, searched = '') {
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
        (searched || this.#cursor) && more('Newest', () => this.choose(this.#event)),
        next &&
          more('Older', () => {
            this.#cursor = next
            this.load()
          }),
      ),
    )
    if (focused)
      byId('purchases')
        .querySelector(`[data-id="${CSS.escape(focused)}"] button`)
        ?.focus()
  }

  #row(purchase) {
    const { purchaseId, purchasedAt, seats, quantity, reference, total, currency, state, cancelledQuantity } = purchase
    const left = quantity - cancelledQuantity
    const told = cancelledQuantity && left ? `${state}, ${cancelledQuantity} cancelled` : state
    return element(
      'tr',
      { 'data-id': purchaseId },
      element('th', { scope: 'row' }, element('code', {}, purchaseId)),
      element('td', { class: 'number' }, moment(purchasedAt)),
      element('td', {}, seats.length ? seats.join(', ') : `${quantity} places`),
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

  async #cancel({ purchaseId, seats, quantity, cancelledSeats, cancelledQuantity, total, cancelledTotal, currency }) {
    const left = quantity - cancelledQuantity
    const refund = currency
      ? ` Refund ${amount(total - (cancelledTotal ?? 0), currency)} through your payment service; this page moves no money.`
      : ''
    const answer = await confirm({
      title: `Cancel ${left === 1 ? 'one seat' : `${left} seats`}`,
      text: `${seats.filter((seat) => !cancelledSeats.includes(seat)).join(', ') || 'The places'} go back on sale at once, and the buyer loses them.${refund} This cannot be undone.`,
      act: 'Cancel the purchase',
      needsWhy: true,
      danger: true,
    })
    if (!answer) return
    try {
      await this.session.ask('DELETE', `/api/v1/purchases/${purchaseId}?why=${encodeURIComponent(answer.why)}`)
      this.say('Cancelled. Its seats are on sale again.')
    } catch (error) {
      this.say(error.message, true)
    }
    if (this.#found) await this.find(purchaseId)
    else await this.load()
  }
}
