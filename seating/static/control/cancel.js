/** Cancelling a purchase or a part of it: which seats go, and what the buyer has to be refunded. */

import { element } from '../elements.js'
import { confirm } from './confirm.js'
import { amount } from './numbers.js'

/** What becomes of the seats, before and after. */
const SELLS = { goes: 'back on sale immediately', went: 'Cancelled; on sale again.' }
const RESTS = { goes: 'back to the event, which does not sell now', went: 'Cancelled; given back.' }
/** In quarantine: SQL refused it, or it is of another history or a loss and has no seats. */
const WAITS = { goes: 'back unless sold to another buyer', went: 'Cancelled.' }

/**
 * Ask which seats, then cancel them. Returns a sentence of what has happened, null for nothing; throws the refusal.
 *
 * Others cancel too, and the refund is only of what is cancelled here: so the purchase is read anew before the question,
 * and must be the same after it.
 */
export async function cancel(session, purchaseId) {
  const path = `/api/v1/purchases/${purchaseId}`
  const purchase = await session.get(path)
  if (purchase.cancelledQuantity === purchase.quantity) throw new Error('All of this purchase has been cancelled already.')
  const { selling } = await session.get(`/api/v1/events/${purchase.eventId}`)
  const fate = purchase.state === 'quarantined' ? WAITS : selling ? SELLS : RESTS
  const choice = purchase.seats.length ? new Seats({ ...purchase, fate }) : new Places({ ...purchase, fate })
  const answer = await confirm({ ...choice.question(), choice, needsWhy: true, danger: true })
  if (!answer) return null
  if ((await session.get(path)).cancelledQuantity !== purchase.cancelledQuantity) {
    throw new Error('Another operator has just cancelled part of this purchase. Nothing was cancelled here; look again.')
  }
  const { cancelledTotal, currency } = await session.ask('DELETE', `${path}?why=${encodeURIComponent(answer.why)}${choice.query()}`)
  const refund = currency ? amount(cancelledTotal - (purchase.cancelledTotal ?? 0), currency) : ''
  return `${fate.went}${refund && ` Refund ${refund} through your payment service.`}`
}

/** What stands of a purchase, and how much of it is to go. */
class Part {
  constructor(purchase) {
    Object.assign(this, purchase)
    this.standing = purchase.quantity - purchase.cancelledQuantity
  }

  /** The title, text and button for what is chosen now. */
  question() {
    const { count, prices, names, unit } = this.chosen()
    const some = count === 1 ? `one ${unit}` : `${count} ${unit}s`
    const sum = prices.reduce((total, price) => total + (price ?? 0), 0)
    const refund = this.currency ? ` Refund ${amount(sum, this.currency)} through your payment service; this page moves no money.` : ''
    return {
      title: count ? `Cancel ${some}` : `Choose a ${unit}`,
      text: count ? `${names} ${this.fate.goes}; the buyer loses ${count === 1 ? 'it' : 'them'}.${refund} This cannot be undone.` : '',
      act: count === this.standing ? 'Cancel the purchase' : `Cancel ${some}`,
      isReady: count > 0,
    }
  }
}

/** Seats by their ids, all of those that stand at first. */
class Seats extends Part {
  constructor(purchase) {
    super(purchase)
    this.rows = this.seats
      .map((seat, index) => ({ seat, price: this.prices?.[index] }))
      .filter(({ seat }) => !this.cancelledSeats.includes(seat))
      .map(({ seat, price }) => ({ seat, price, box: element('input', { type: 'checkbox', checked: true }) }))
    this.node = element(
      'fieldset',
      { class: 'choices' },
      element('legend', {}, 'Seats to cancel'),
      ...this.rows.map(({ seat, price, box }) =>
        element('label', {}, box, ` ${seat}`, this.currency && element('span', { class: 'number' }, amount(price, this.currency))),
      ),
    )
  }

  chosen() {
    const rows = this.rows.filter(({ box }) => box.checked)
    const names = `${rows.map(({ seat }) => seat).join(', ')} ${rows.length === 1 ? 'goes' : 'go'}`
    return { count: rows.length, prices: rows.map(({ price }) => price), names, unit: 'seat' }
  }

  query() {
    const rows = this.rows.filter(({ box }) => box.checked)
    return rows.length === this.standing ? '' : `&seats=${encodeURIComponent(rows.map(({ seat }) => seat).join(','))}`
  }
}

/** Places of general admission by their number: the first that stand go. */
class Places extends Part {
  constructor(purchase) {
    super(purchase)
    const options = Array.from({ length: this.standing }, (_, index) => element('option', {}, this.standing - index))
    this.number = element('select', {}, ...options)
    this.node = element('label', {}, 'Places to cancel ', this.number)
  }

  chosen() {
    const count = Number(this.number.value)
    const prices = (this.prices ?? []).slice(this.cancelledQuantity, this.cancelledQuantity + count)
    return { count, prices, names: count === 1 ? 'One place goes' : `${count} places go`, unit: 'place' }
  }

  query() {
    const count = Number(this.number.value)
    return count === this.standing ? '' : `&quantity=${this.cancelledQuantity + count}`
  }
}
