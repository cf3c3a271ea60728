/** Purchases of an event: found by id, reference or seat, and cancelled, whole or in part. */

import { byId, element } from '../elements.js'
import { cancel } from './cancel.js'
import { amount, moment } from './numbers.js'

const LONGEST_LIST = 15

export class Purchases {
  #event = null
  /** What is listed: `path` to read it anew, null if a search found nothing; `searched` is the text of that. */
  #list = null
  #turn = 0
  #shown = ''

  /** `onSeat` shows the history of a seat. */
  constructor(session, say, onSeat) {
    Object.assign(this, { session, say, onSeat })
  }

  choose(event) {
    this.#event = event
    return this.#open({ path: this.#newest })
  }

  /** Find by a purchase's id, a reference, or the id of a seat. Throws a refusal, but not that there is none. */
  async find(text) {
    const turn = ++this.#turn
    const isWanted = () => turn === this.#turn
    const path = (await this.#byId(text)) ?? (await this.#byReference(text)) ?? (await this.#bySeat(text, isWanted))
    if (isWanted()) await this.#open({ path, searched: text })
  }

  get #newest() {
    return `/api/v1/events/${this.#event.id}/purchases?limit=${LONGEST_LIST}`
  }

  async #byId(text) {
    const path = `/api/v1/purchases/${text}`
    return /^[a-z0-9-]+\.\d+-\d+\.[0-9a-f]+$/.test(text) && (await this.#getIfThere(path)) ? path : null
  }

  async #byReference(text) {
    const path = `/api/v1/events/${this.#event.id}/purchases?reference=${encodeURIComponent(text)}`
    return (await this.#getIfThere(path))?.purchases.length ? path : null
  }

  async #bySeat(text, isWanted) {
    if (!this.#event.seated) return null
    const path = `/api/v1/events/${this.#event.id}/seats/${encodeURIComponent(text)}/history?limit=5`
    const history = (await this.#getIfThere(path))?.history ?? []
    if (history.length && isWanted()) this.onSeat(text)
    const id = history.find(({ purchaseId }) => purchaseId)?.purchaseId
    return id ? this.#byId(id) : null
  }

  async #getIfThere(path) {
    try {
      return await this.session.get(path)
    } catch (error) {
      if (![400, 404].includes(error.status)) throw error
      return null
    }
  }

  /** List something else; a search that is under way is not wanted any more. */
  #open(list) {
    this.#turn++
    this.#list = list
    return this.load()
  }

  async load() {
    const list = this.#list
    const answer = list.path ? await this.session.get(list.path) : { purchases: [] }
    if (list === this.#list) this.#show(answer.purchases ?? [answer], list.searched ? null : answer.next, list.searched)
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
    const more = (label, path) =>
      element('button', { class: 'plain', type: 'button', onclick: () => this.#open({ path }).catch((error) => this.say(error.message, true)) }, label)
    byId('purchases').replaceChildren(
      told ? element('p', { class: 'quiet' }, told) : element('div', { class: 'scroll' }, table),
      element(
        'div',
        { class: 'row' },
        this.#list.path === this.#newest ? null : more('Newest', this.#newest),
        next && more('Older', `${this.#newest}&cursor=${next}`),
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
        left ? element('button', { type: 'button', onclick: () => this.#cancel(purchaseId) }, 'Cancel') : '',
      ),
    )
  }

  async #cancel(purchaseId) {
    try {
      const told = await cancel(this.session, purchaseId)
      if (!told) return
      this.say(told)
    } catch (error) {
      this.say(error.message, true)
    }
    await this.load().catch(() => {}) // It is read anew every few seconds anyway.
  }
}
