/** Words about the map: its legend, the card of a seat, the areas of general admission. */

import { drawChosen } from './overlay.js'
import { FREE, HELD } from './painter.js'

const SIZE = 18
const TAKEN = 3

/** Fill the legend: categories with prices, then the signs of states. */
export function fillLegend(list, painter, offer) {
  const { words } = offer
  const used = new Set(painter.hall.category)
  const isPlain = used.size === 1 && offer.price([...used][0]) === null
  const categories = [...used].sort((a, b) => a - b).map((category) => {
    const { name, onSale } = offer.categories[category]
    const price = words.amount(offer.price(category), offer.currency)
    const text = isPlain ? words.available : [name, price].filter(Boolean).join(' · ')
    return entry(painter, text, onSale === false ? 'off' : '', (context) => (
      painter.drawSign(context, SIZE / 2, SIZE / 2, 8, category, FREE, 1)
    ))
  })
  const first = [...used][0] ?? 0
  const signs = [
    entry(painter, words.yours, '', (context) => drawChosen(context, SIZE / 2, SIZE / 2, 7, painter.theme)),
    entry(painter, words.held, '', (context) => painter.drawSign(context, SIZE / 2, SIZE / 2, 8, first, HELD, 1)),
    entry(painter, words.taken, '', (context) => painter.drawSign(context, SIZE / 2, SIZE / 2, 8, first, TAKEN, 1)),
  ]
  list.replaceChildren(...categories, ...signs)
}

function entry(painter, text, name, draw) {
  const item = document.createElement('li')
  const { density } = painter
  const canvas = Object.assign(document.createElement('canvas'), { width: SIZE * density, height: SIZE * density })
  const context = canvas.getContext('2d')
  context.scale(density, density)
  draw(context)
  item.className = name
  item.append(canvas, text)
  return item
}

const COUNTS_MS = 3_000

/** The list of areas: name, price and what is left of each. */
export class Areas {
  #timer = 0

  constructor(list, feed, words) { Object.assign(this, { list, feed, words }) }

  close() { clearTimeout(this.#timer) }

  show() {
    const { list, words, feed: { event, seatsRemaining } } = this
    const areas = event.categories ?? [{ name: event.name, price: null }]
    list.hidden = false
    list.replaceChildren(...areas.map((area) => {
      const item = document.createElement('li')
      const count = areas.length === 1 ? seatsRemaining : area.seatsRemaining
      const state = area.onSale === false ? words.notOpen : count ? words.left(words.number(count)) : words.none
      const rest = [words.amount(area.price, event.currency), state].filter(Boolean).join(' · ')
      item.append(
        Object.assign(document.createElement('b'), { textContent: area.name }),
        Object.assign(document.createElement('span'), { textContent: rest }),
      )
      return item
    }))
  }

  /** The feed has one number for all areas; those of each are asked for. */
  changed() {
    this.show()
    if (this.feed.event.categories?.length > 1) this.#timer ||= setTimeout(() => this.#count(), COUNTS_MS * (1 + Math.random()))
  }

  async #count() {
    const event = await this.feed.get().catch(() => null)
    this.#timer = 0
    if (event) this.feed.event = event
    this.show()
  }
}

const GAP = 12 // CSS pixels to the seat.
const EDGE = 8

export class Card {
  constructor(element, canvas, choice, offer) { Object.assign(this, { element, canvas, choice, offer }) }

  /** Show what a seat is and costs; -1 hides the card. */
  show(seat) {
    this.element.hidden = seat < 0
    if (seat < 0) return
    const { words } = this.offer
    const { category, accessible } = this.offer.details(seat)
    const status = this.canvas.statuses()[seat]
    const state = this.choice.has(seat) ? words.yours : status === FREE ? '' : status === HELD ? words.held : words.taken
    const about = [category, this.offer.shownPrice(seat), accessible && words.accessible, state].filter(Boolean)
    const title = Object.assign(document.createElement('b'), { textContent: this.offer.describe(seat) })
    this.element.replaceChildren(title, about.join(' · '))
    this.#place(seat)
  }

  #place(seat) {
    const { view, hall } = this.canvas
    const [left, top] = this.canvas.placeOf(seat)
    const { offsetWidth, offsetHeight } = this.element
    const gap = hall.radius[seat] * view.scale + GAP
    const isBelow = top - gap - offsetHeight < EDGE
    const x = Math.min(view.width - offsetWidth - EDGE, Math.max(EDGE, left - offsetWidth / 2))
    const y = Math.min(view.height - offsetHeight - EDGE, isBelow ? top + gap : top - gap - offsetHeight)
    this.element.style.transform = `translate(${x}px, ${y}px)`
  }
}
