/** Who has a seat and since when, and what happened to it before. */

import { byId, element } from '../elements.js'
import { moment } from './numbers.js'

const LONGEST_LIST = 20
/** What the last entry of a seat's history makes of it. */
const NOW = {
  sold: 'Sold',
  'sold at the box office': 'Sold at the box office',
  held: 'Held by a buyer',
  'held for longer': 'Held by a buyer',
  'held by the organiser': 'Held by the organiser',
  reserved: 'Blocked',
  'off sale': 'Off sale',
}

export class SeatStory {
  #shown = ''

  /** `onPurchase` shows a purchase by its id; `attempt` does an act and tells its refusal. */
  constructor(session, onPurchase, attempt) {
    Object.assign(this, { session, onPurchase, attempt })
    this.box = byId('seat-history')
  }

  clear() {
    this.#shown = ''
    this.box.replaceChildren()
  }

  /** Throws the refusal. */
  async show(event, seat) {
    const wanted = (this.#shown = `${event} ${seat}`)
    const { history, next } = await this.#page(event, seat)
    const isSold = history[0]?.what === 'sold'
    const purchase = isSold && (await this.session.get(`/api/v1/purchases/${history[0].purchaseId}`).catch(() => null))
    if (wanted !== this.#shown) return
    const list = element('ol', {}, ...history.map((entry) => this.#entry(entry)))
    this.box.replaceChildren(
      element('h3', {}, seat),
      element('p', { id: 'seat-now' }, nowOf(history[0], purchase)),
      list,
      next ? this.#older(event, seat, next, list) : '',
    )
  }

  #page(event, seat, cursor) {
    const query = `limit=${LONGEST_LIST}${cursor ? `&cursor=${cursor}` : ''}`
    return this.session.get(`/api/v1/events/${event}/seats/${encodeURIComponent(seat)}/history?${query}`)
  }

  #older(event, seat, cursor, list) {
    const button = element('button', { class: 'plain', type: 'button' }, 'Older')
    button.onclick = () =>
      this.attempt(async () => {
        const { history, next } = await this.#page(event, seat, cursor)
        list.append(...history.map((entry) => this.#entry(entry)))
        button.replaceWith(next ? this.#older(event, seat, next, list) : '')
      })
    return button
  }

  #entry({ at, what, purchaseId, reference, by }) {
    return element(
      'li',
      {},
      element('time', { class: 'number' }, moment(at)),
      ` ${what}`,
      by && ` by ${by}`,
      reference && ` · ${reference}`,
      purchaseId &&
        element('button', { class: 'plain', type: 'button', onclick: () => this.onPurchase(purchaseId) }, element('code', {}, purchaseId)),
    )
  }
}

/** Return who has the seat, in a sentence. */
function nowOf(last, purchase) {
  if (!last) return 'Free. Nothing has happened to this seat yet.'
  const by = last.by ? ` by ${last.by}` : ''
  const owner = purchase && [purchase.reference, purchase.buyer && `customer ${purchase.buyer}`, purchase.note].filter(Boolean).join(', ')
  return `${NOW[last.what] ?? 'Free'}${by} since ${moment(last.at)}${owner ? `: ${owner}` : ''}.`
}
