/** All that the component says: texts by language, names and prices of seats. */

import { money } from '../money.js'

const WORDS = {
  en: {
    map: 'Seat map', tree: 'Seats as a list', zoomIn: 'Zoom in', zoomOut: 'Zoom out', fit: 'Whole hall',
    stage: 'Stage', legend: 'Prices and signs',
    row: (label) => `Row ${label}`, seat: (number) => `Seat ${number}`,
    left: (count) => `${count} left`, none: 'Sold out', from: (price) => `from ${price}`,
    available: 'Available', held: 'Held by somebody', taken: 'Taken', yours: 'Yours', accessible: 'Accessible',
    notOpen: 'Not on sale now',
    live: 'Live', catchingup: 'Catching up …', offline: 'Offline. The map may be out of date',
    chosen: (seat, sum) => `${seat} chosen. ${sum}`, dropped: (seat, sum) => `${seat} no longer chosen. ${sum}`,
    sum: (count, total) => `${count === 1 ? '1 seat' : `${count} seats`}${total ? `, ${total}` : ''}`,
    most: (count) => `You can choose ${count === 1 ? 'one seat' : `up to ${count} seats`}`,
    lost: (seats) => `Somebody else took ${seats}`,
    heldNow: (seats, minutes) => `Held for you for ${minutes} minutes: ${seats}`,
    released: 'Your seats are released', expired: 'Your hold has ended',
    twoMinutes: 'Two minutes left to buy your seats', halfMinute: 'Thirty seconds left to buy your seats',
    loading: 'Loading the seat map', failed: 'The seat map cannot be shown',
    unavailable: 'This seat is not available',
  },
  de: {
    map: 'Saalplan', tree: 'Plätze als Liste', zoomIn: 'Vergrößern', zoomOut: 'Verkleinern', fit: 'Ganzer Saal',
    stage: 'Bühne', legend: 'Preise und Zeichen',
    row: (label) => `Reihe ${label}`, seat: (number) => `Platz ${number}`,
    left: (count) => `${count} frei`, none: 'Ausverkauft', from: (price) => `ab ${price}`,
    available: 'Frei', held: 'Von jemandem reserviert', taken: 'Vergeben', yours: 'Ihre Wahl', accessible: 'Barrierefrei',
    notOpen: 'Derzeit nicht im Verkauf',
    live: 'Live', catchingup: 'Wird aktualisiert …', offline: 'Offline. Der Plan ist vielleicht veraltet',
    chosen: (seat, sum) => `${seat} gewählt. ${sum}`, dropped: (seat, sum) => `${seat} abgewählt. ${sum}`,
    sum: (count, total) => `${count === 1 ? '1 Platz' : `${count} Plätze`}${total ? `, ${total}` : ''}`,
    most: (count) => `Sie können ${count === 1 ? 'einen Platz' : `bis zu ${count} Plätze`} wählen`,
    lost: (seats) => `Jemand anderes war schneller: ${seats}`,
    heldNow: (seats, minutes) => `Für Sie ${minutes} Minuten reserviert: ${seats}`,
    released: 'Ihre Plätze sind freigegeben', expired: 'Ihre Reservierung ist abgelaufen',
    twoMinutes: 'Noch zwei Minuten, um Ihre Plätze zu kaufen', halfMinute: 'Noch dreißig Sekunden, um Ihre Plätze zu kaufen',
    loading: 'Der Saalplan wird geladen', failed: 'Der Saalplan kann nicht angezeigt werden',
    unavailable: 'Dieser Platz ist nicht frei',
    refusals: {
      SEAT_UNAVAILABLE: 'Ein Platz ist nicht mehr frei', NOT_TOGETHER: 'So viele Plätze nebeneinander gibt es nicht',
      HOLD_EXPIRED: 'Ihre Reservierung ist abgelaufen', INVENTORY_UNAVAILABLE: 'Der Server ist ausgelastet',
      TOO_MANY_HELD: 'Über Ihren Anschluss sind zu viele Plätze reserviert', SOLD_OUT: 'So viele Plätze sind nicht mehr frei',
      NOT_ON_SALE: 'Der Verkauf ist nicht geöffnet', RATE_LIMITED: 'Zu viele Anfragen. Bitte gleich noch einmal',
    },
  },
}

/** The words of a language, with its numbers and amounts. */
export class Words {
  constructor(lang) {
    try {
      [lang] = Intl.getCanonicalLocales(lang.replace('_', '-'))
    } catch { lang = 'en' }
    this.lang = WORDS[lang.slice(0, 2)] ? lang : 'en'
    Object.assign(this, WORDS[this.lang.slice(0, 2)])
    this.#numbers = new Intl.NumberFormat(this.lang)
  }

  #numbers

  number(count) { return this.#numbers.format(count) }

  /** As `money`. */
  amount(minor, currency, short) { return money(minor, currency, this.lang, short) }
}

export class Offer {
  constructor(hall, event, words) {
    Object.assign(this, { hall, words })
    this.setEvent(event)
  }

  setEvent({ categories = [], currency = null }) {
    const byName = new Map(categories.map((category) => [category.name, category]))
    this.currency = currency
    this.categories = this.hall.categories.map(({ name }) => byName.get(name) ?? { name, price: null, onSale: true })
  }

  /** A hold's price may be newer than the event's. */
  setPrice(seat, price) { this.categories[this.hall.category[seat]].price = price }

  isAccessible(category) { return this.categories[category].accessible === true }

  price(category) { return this.categories[category].price ?? null }

  /** The least price among categories, short; empty without prices. */
  from(categories) {
    const prices = [...categories].map((category) => this.price(category)).filter((price) => price !== null)
    return prices.length ? this.words.amount(Math.min(...prices), this.currency, true) : ''
  }

  /** The least price of what is left of a section. */
  fromOfSection({ number }, painter) {
    const count = this.hall.categories.length
    return this.from([...this.categories.keys()].filter((category) => painter.leftOf[number * count + category]))
  }

  /** As the page is told of a seat. */
  details = (seat) => {
    const category = this.hall.category[seat]
    return {
      id: this.hall.ids[seat],
      section: this.hall.sections[this.hall.sectionOf[seat]].name,
      row: this.hall.lines[this.hall.lineOf[seat]].label,
      number: this.hall.numbers[seat],
      category: this.categories[category].name,
      price: this.price(category),
      accessible: this.isAccessible(category),
    }
  }

  shownPrice(seat) { return this.words.amount(this.price(this.hall.category[seat]), this.currency) }

  /** A seat's section, row and number as a sentence says them. */
  describe = (seat) => {
    const { words, hall } = this
    const { label, rowLabel, seatLabel } = hall.lines[hall.lineOf[seat]]
    const number = hall.numbers[seat]
    const row = rowLabel || (label && words.row(label))
    const name = seatLabel ? seatLabel.replace('%s', number) : words.seat(number)
    return [hall.sections[hall.sectionOf[seat]].title, row, name].filter(Boolean).join(', ')
  }
}
