/** General admission: its areas, in place of a map. Loaded for such an event only. */

const COUNTS_MS = 3_000

/** The list of areas: name, price and what is left of each. */
export class Areas {
  #timer = 0
  /** When they were last asked for. */
  #state

  constructor(list, feed, words) {
    Object.assign(this, { list, feed, words })
    this.#state = feed.event.state
  }

  close() { clearTimeout(this.#timer) }

  show() {
    const { list, words, feed: { event, seatsRemaining } } = this
    const areas = event.categories ?? [{ name: event.name, price: null }]
    list.hidden = false
    list.replaceChildren(...areas.map((area) => {
      const item = document.createElement('li')
      const count = areas.length === 1 ? seatsRemaining : area.seatsRemaining
      const state = area.onSale === false ? words.notOpen : count ? words.left(words.number(count)) : count === 0 && words.none
      const rest = [words.amount(area.price, event.currency), state].filter(Boolean).join(' · ')
      item.append(
        Object.assign(document.createElement('b'), { textContent: area.name }),
        Object.assign(document.createElement('span'), { textContent: rest }),
      )
      return item
    }))
  }

  /** The feed has one number for all areas, and no prices: these are asked for. Prices stay while it is on sale. */
  changed() {
    this.show()
    const { categories = [], state } = this.feed.event
    const isOther = categories.length > 1 || (categories.length && state !== this.#state)
    if (isOther) this.#timer ||= setTimeout(() => this.#ask(), COUNTS_MS * (1 + Math.random()))
  }

  async #ask() {
    const { state } = this.feed.event
    const event = await this.feed.get().catch(() => null)
    this.#timer = 0
    // Only these: the feed may have told of a newer state meanwhile.
    if (event) {
      this.#state = state
      const { categories, currency, maxPerPurchase, seatsRemaining } = event
      this.feed.event = { ...this.feed.event, categories, currency, maxPerPurchase, seatsRemaining }
    }
    if (this.feed.event.state === state) this.show()
    else this.changed()
  }
}
