/** The same choice as a tree of sections, rows and seats, for keyboards and screen readers. */

import { FREE, HELD } from './painter.js'

const AROUND = 40 // Items that exist before and after the current one.
const TYPED_MS = 700

/** `on` is told which item has the `focus`, null for none. */
export class Tree {
  #section = null
  #row = null
  #item = null
  #elements = new Map()
  #typed = ''
  #typedAt = 0

  constructor(element, { hall, painter, offer }, choice, on) {
    Object.assign(this, { element, hall, painter, offer, choice, on })
    element.addEventListener('keydown', this.#key)
    element.addEventListener('click', this.#click)
    element.addEventListener('focusin', () => this.on.focus(this.#item))
    element.addEventListener('focusout', () => this.on.focus(null))
    this.#item = { section: hall.sections[0] }
    this.render()
  }

  #items() {
    return this.hall.sections.flatMap((section) => (section !== this.#section ? [{ section }] : [
      { section },
      ...section.rows.flatMap((row) => (row !== this.#row ? [{ section, row }] : [
        { section, row }, ...row.seats.map((seat) => ({ section, row, seat })),
      ])),
    ]))
  }

  #keyOf({ section, row, seat }) {
    if (seat !== undefined) return `seat-${seat}`
    return row ? `row-${section.number}-${section.rows.indexOf(row)}` : `section-${section.number}`
  }

  /** Bring the elements around the current item up to date. */
  render() {
    const items = this.#items()
    const current = this.#keyOf(this.#item)
    const at = items.findIndex((item) => this.#keyOf(item) === current)
    const shown = items.slice(Math.max(0, at - AROUND), at + AROUND + 1)
    const keys = new Set(shown.map((item) => this.#keyOf(item)))
    for (const [key, element] of this.#elements) {
      if (!keys.has(key)) {
        element.remove()
        this.#elements.delete(key)
      }
    }
    let next = this.element.firstChild
    for (const item of shown) {
      const key = this.#keyOf(item)
      const element = this.#elements.get(key) ?? this.#make(key)
      this.#fill(element, item)
      element.tabIndex = key === current ? 0 : -1
      // An element that is moved loses the focus.
      if (element === next) next = next.nextSibling
      else this.element.insertBefore(element, next)
    }
  }

  #make(key) {
    const element = document.createElement('div')
    element.setAttribute('role', 'treeitem')
    this.#elements.set(key, element)
    return element
  }

  #fill(element, item) {
    element.item = item
    const { section, row, seat } = item
    const level = seat !== undefined ? 3 : row ? 2 : 1
    const siblings = level === 3 ? row.seats : level === 2 ? section.rows : this.hall.sections
    const place = siblings.indexOf(level === 3 ? seat : level === 2 ? row : section)
    const isChosen = level === 3 && this.choice.own.has(seat)
    const states = {
      'aria-level': level, 'aria-posinset': place + 1, 'aria-setsize': siblings.length,
      'aria-expanded': level === 3 ? null : (level === 2 ? row === this.#row : section === this.#section),
      'aria-selected': level === 3 ? isChosen : null,
      'aria-disabled': level === 3 && !isChosen && this.painter.statuses[seat] !== FREE ? true : null,
    }
    for (const [name, value] of Object.entries(states)) {
      if (value === null) element.removeAttribute(name)
      else if (element.getAttribute(name) !== `${value}`) element.setAttribute(name, value)
    }
    const text = this.#text(item, level, isChosen)
    if (element.textContent !== text) element.textContent = text
  }

  #text({ section, row, seat }, level, isChosen) {
    const { words } = this.offer
    if (level === 3) {
      const { category, accessible } = this.offer.details(seat)
      const status = this.painter.statuses[seat]
      const state = isChosen ? words.yours : status === FREE ? words.available : status === HELD ? words.held : words.taken
      const parts = [words.seat(this.hall.numbers[seat]), category, this.offer.shownPrice(seat), accessible && words.accessible, state]
      return parts.filter(Boolean).join(', ')
    }
    const { offer, painter, hall } = this
    const free = row?.seats.filter((i) => painter.statuses[i] === FREE)
    const left = free?.length ?? painter.left[section.number]
    const from = free ? offer.from(new Set(free.map((i) => hall.category[i]))) : offer.fromOfSection(section, painter)
    const name = level === 1 ? section.title : words.row(row.label)
    return [name, left ? words.left(words.number(left)) : words.none, from && words.from(from)].filter(Boolean).join(', ')
  }

  /** Go to a seat; `takesFocus` also moves the keyboard there. */
  goTo(seat, takesFocus) {
    const section = this.hall.sections[this.hall.sectionOf[seat]]
    const row = section.rows.find(({ seats }) => seats.includes(seat))
    this.#open(section, row)
    this.#show({ section, row, seat }, takesFocus)
  }

  #open(section, row) { [this.#section, this.#row] = [section, row] }

  #show(item, takesFocus = true) {
    this.#item = item
    this.render()
    if (takesFocus) this.#elements.get(this.#keyOf(item)).focus()
  }

  #step(count) {
    const items = this.#items()
    const at = items.findIndex((item) => this.#keyOf(item) === this.#keyOf(this.#item))
    this.#show(items[Math.min(items.length - 1, Math.max(0, at + count))])
  }

  #unfold({ section, row, seat }) {
    if (seat !== undefined) return
    if (row ? this.#row === row : this.#section === section) return this.#step(1)
    this.#open(section, row ?? null)
    this.#show(this.#item)
  }

  #fold({ section, row, seat }) {
    if (seat !== undefined) return this.#show({ section, row })
    if (row && this.#row === row) this.#open(section, null)
    else if (row) return this.#show({ section })
    else this.#open(null, null)
    this.#show(this.#item)
  }

  #across({ section, row, seat }, by) {
    const other = section.rows[section.rows.indexOf(row) + by]
    if (!other || seat === undefined) return
    const { x, y } = this.hall
    const distance = (i) => Math.hypot(x[i] - x[seat], y[i] - y[seat])
    this.goTo(other.seats.reduce((best, i) => (distance(i) < distance(best) ? i : best)), true)
  }

  #key = (event) => {
    if (event.altKey || event.ctrlKey || event.metaKey) return
    const item = this.#item
    const isRtl = getComputedStyle(this.element).direction === 'rtl'
    const acts = {
      ArrowDown: () => this.#step(1), ArrowUp: () => this.#step(-1),
      [isRtl ? 'ArrowLeft' : 'ArrowRight']: () => this.#unfold(item),
      [isRtl ? 'ArrowRight' : 'ArrowLeft']: () => this.#fold(item),
      Home: () => this.#step(-Infinity), End: () => this.#step(Infinity),
      PageDown: () => this.#across(item, 1), PageUp: () => this.#across(item, -1),
      Enter: () => this.#activate(item), ' ': () => this.#activate(item),
    }
    const act = acts[event.key] ?? (/^[\p{L}\p{N}]$/u.test(event.key) ? () => this.#type(event.key) : null)
    if (!act) return
    event.preventDefault()
    act()
  }

  #activate(item) {
    if (item.seat !== undefined) this.choice.toggle(item.seat)
    else if (item.row ? this.#row === item.row : this.#section === item.section) this.#fold(item)
    else this.#unfold(item)
  }

  /** To the next item whose name, row or number begins with what is typed. */
  #type(letter) {
    const now = performance.now()
    this.#typed = (now - this.#typedAt < TYPED_MS ? this.#typed : '') + letter.toLowerCase()
    this.#typedAt = now
    const items = this.#items()
    const at = items.findIndex((item) => this.#keyOf(item) === this.#keyOf(this.#item))
    const from = at + (this.#typed.length === 1)
    const named = ({ section, row, seat }) => (
      seat !== undefined ? this.hall.numbers[seat] : row ? row.label : section.title
    ).toLowerCase().startsWith(this.#typed)
    const found = [...items.slice(from), ...items.slice(0, from)].find(named)
    if (found) this.#show(found)
  }

  #click = ({ target }) => {
    if (!target.item) return
    this.#show(target.item)
    this.#activate(target.item)
  }
}
