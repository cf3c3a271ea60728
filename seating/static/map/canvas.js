/** The map on its canvas: draws what changed and tells which seat is meant. */

import { overlap, stageBounds } from './areas.js'
import { readTheme } from './colors.js'
import { Minimap, Overlay } from './overlay.js'
import { Painter } from './painter.js'
import { Tiles } from './tiles.js'
import { Gestures, View } from './view.js'

const BUDGET_MS = 4 // While the map moves; a frame has 16.
const STILL_BUDGET_MS = 12
const FIRST_BUDGET_MS = 60
const SETTLE_MS = 120
const OWN_MS = 160
const TARGET = 24 // CSS pixels, WCAG 2.2, 2.5.8.
const MOST_PULSES = 60 // More at once are no buyer's doing.
const EDGE = 12
const MINI_MS = 500
const TOOLS = 64

/** `parts` are the component's elements; `on` has `seat(i)`, `hover(i)` and `first()`. */
export class MapCanvas {
  marked = { own: [], seat: -1, part: null, hovered: -1 }
  #pending = new Set()
  #size = [0, 0]
  #aging = 0
  #pointer = { key: '' }
  #frame = 0
  #zoomedAt = -Infinity
  #movedAt = -Infinity
  #hasDrawn = false
  #isStill = matchMedia('(prefers-reduced-motion: reduce)')

  constructor(host, parts, hall, statuses, offer, on) {
    Object.assign(this, { host, parts, hall, statuses, offer, on })
    this.view = new View()
    this.shown = statuses().slice()
    this.painter = new Painter(hall, this.shown, offer, readTheme(host, hall), devicePixelRatio)
    this.tiles = new Tiles(this.painter)
    this.overlay = new Overlay(this.painter)
    this.minimap = new Minimap(parts.mini, this.painter, this.view, () => this.draw())
    this.stage = stageBounds(hall.areas)
    this.gestures = new Gestures(parts.seats, this.view, {
      tap: (at, kind) => this.#tap(at, kind),
      hover: (at) => this.#hover(at),
      moved: () => {
        this.#movedAt = performance.now()
        this.draw()
      },
      zoomed: () => { this.#zoomedAt = performance.now() },
    })
    this.#size = [parts.map.clientWidth, parts.map.clientHeight]
    this.#resize()
    this.view.setHall(hall)
    this.observer = new ResizeObserver(([{ contentRect }]) => {
      this.#size = [contentRect.width, contentRect.height]
      this.draw()
    })
    this.observer.observe(parts.map)
    this.draw()
  }

  close() {
    cancelAnimationFrame(this.#frame)
    clearTimeout(this.#aging)
    this.observer.disconnect()
  }

  get durationMs() { return this.#isStill.matches ? 0 : OWN_MS }

  draw() { this.#frame ||= requestAnimationFrame(this.#next) }

  changed(seats) {
    for (const seat of seats) this.#pending.add(seat)
    this.draw()
  }

  restyle() {
    this.painter.setTheme(readTheme(this.host, this.hall), devicePixelRatio)
    for (const part of [this.tiles, this.minimap, this.overlay]) part.clear()
    this.draw()
  }

  #next = (now) => {
    this.#frame = 0
    if (this.painter.density !== devicePixelRatio) this.restyle()
    this.#resize()
    this.#apply(now)
    const isMoving = this.view.step(now)
    const isSettled = this.#rescale(isMoving)
    const { seats, mini } = this.parts
    const context = seats.getContext('2d')
    const { density } = this.painter
    context.setTransform(1, 0, 0, 1, 0, 0)
    context.clearRect(0, 0, seats.width, seats.height)
    const isWhole = this.tiles.draw(context, this.view, this.#budgetMs(isMoving))
    context.setTransform(density, 0, 0, density, 0, 0)
    const { words } = this.offer
    this.overlay.draw(context, this.view, this.marked, words, (section) => this.offer.fromOfSection(section, this.painter), now)
    mini.hidden = this.view.isWhole || this.view.width < 480
    if (!mini.hidden) this.minimap.draw()
    seats.classList.toggle('near', !this.view.isWhole)
    this.#pointToStage()
    if (isMoving || !isWhole || !isSettled || this.overlay.isMoving) this.draw()
    if (this.#hasDrawn) return
    this.#hasDrawn = true
    this.on.first()
  }

  #budgetMs(isMoving) {
    if (!this.#hasDrawn) return FIRST_BUDGET_MS
    return isMoving || performance.now() - this.#movedAt < SETTLE_MS ? BUDGET_MS : STILL_BUDGET_MS
  }

  #resize() {
    const [width, height] = this.#size.map((side) => Math.round(side * devicePixelRatio))
    this.view.resize(...this.#size)
    const { seats } = this.parts
    if (seats.width !== width || seats.height !== height) Object.assign(seats, { width, height })
  }

  #apply(now) {
    if (!this.#pending.size) return
    const seats = [...this.#pending]
    this.#pending.clear()
    const before = seats.map((seat) => this.shown[seat])
    for (const seat of seats) this.shown[seat] = this.statuses()[seat]
    const sections = this.painter.recount(seats, before)
    if (this.painter.isFar(this.tiles.scale)) for (const { outline } of sections) this.tiles.invalidate(outline)
    else this.tiles.changed(seats)
    if (sections.length) this.#aging ||= setTimeout(() => this.#renew(), MINI_MS)
    if (seats.length > MOST_PULSES || this.#isStill.matches) return
    seats.forEach((seat, i) => {
      if (before[i] !== this.shown[seat] && !this.marked.own.includes(seat)) this.overlay.pulse(seat, before[i], now)
    })
  }

  #renew() {
    this.#aging = 0
    this.minimap.clear()
    this.draw()
  }

  /** While a zoom goes on, what was drawn is shown larger or smaller. */
  #rescale(isMoving) {
    const ratio = this.view.scale / (this.tiles.scale || Infinity)
    if (ratio === 1) return true
    const isBusy = isMoving || performance.now() - this.#zoomedAt < SETTLE_MS
    if (isBusy && ratio > 0.75 && ratio < 2) return false
    this.tiles.rescale(this.view.scale)
    return true
  }

  #tap([left, top], kind) {
    const [x, y] = this.view.toPlan(left, top)
    const { scale } = this.view
    if (this.painter.isFar(scale)) {
      const seat = this.hall.nearest(x, y, Math.max(2 * this.hall.pitch, TARGET / scale))
      if (seat >= 0) this.zoomTo(this.hall.sections[this.hall.sectionOf[seat]].bounds)
      return
    }
    const seat = this.#seatAt(left, top, kind === 'mouse' ? 0 : TARGET / 2)
    if (seat < 0) return this.on.seat(-1)
    if (this.canSelect) return this.on.seat(seat)
    this.view.zoomBy((1.2 * TARGET) / (this.hall.pitch * scale), left, top, this.durationMs)
    this.draw()
  }

  /** Whether seats are large enough to be told apart by a finger. */
  get canSelect() { return this.hall.pitch * this.view.scale >= TARGET - 0.01 }

  #seatAt(left, top, least) {
    const [x, y] = this.view.toPlan(left, top)
    const near = Math.max(least / this.view.scale, 1.15 * this.hall.usualRadius)
    return this.hall.nearest(x, y, near)
  }

  #hover(at) {
    const seat = at && !this.painter.isFar(this.view.scale) ? this.#seatAt(...at, 0) : -1
    this.parts.seats.classList.toggle('seat', seat >= 0)
    if (seat === this.marked.hovered) return
    this.marked.hovered = seat
    this.on.hover(seat)
    this.draw()
  }

  zoomTo(bounds) {
    this.view.show(bounds, this.durationMs && 2 * this.durationMs)
    this.draw()
  }

  reveal(seat) {
    const [left, top] = this.placeOf(seat)
    const { width, height, scale } = this.view
    const isInside = left > 40 && top > 40 && left < width - 40 && top < height - 40
    if (!isInside || !this.canSelect) {
      const least = (1.2 * TARGET) / this.hall.pitch
      this.view.move(this.hall.x[seat], this.hall.y[seat], Math.max(scale, least), this.durationMs)
    }
    this.draw()
  }

  placeOf(seat) { return this.view.toScreen(this.hall.x[seat], this.hall.y[seat]) }

  zoomBy(factor) {
    this.view.zoomBy(factor, undefined, undefined, this.durationMs)
    this.draw()
  }

  fit() {
    this.view.fit(this.durationMs)
    this.draw()
  }

  #pointToStage() {
    const pointer = this.parts.stage
    if (!this.stage) return
    const [x, y] = [(this.stage.left + this.stage.right) / 2, (this.stage.top + this.stage.bottom) / 2]
    const { width, height } = this.view
    const [left, top] = this.view.toScreen(x, y)
    pointer.hidden = overlap(this.stage, this.view.part())
    if (pointer.hidden) return
    const [dx, dy] = [left - width / 2, top - height / 2]
    const arrow = Math.abs(dx) > Math.abs(dy) ? (dx < 0 ? '←' : '→') : (dy < 0 ? '↑' : '↓')
    const { state } = this.parts
    const key = `${arrow}${state.textContent}`
    if (key !== this.#pointer.key) {
      // Asking for sizes takes longer than drawing a frame.
      pointer.textContent = `${arrow} ${this.offer.words.stage}`
      this.#pointer = { key, long: pointer.offsetWidth, high: pointer.offsetHeight, first: state.offsetWidth + 2 * EDGE }
    }
    const { long, high, first } = this.#pointer
    const across = Math.max(first, Math.min(width - long - TOOLS, left - long / 2))
    const down = Math.max(EDGE, Math.min(height - high - EDGE, top - high / 2))
    pointer.style.transform = `translate(${across}px, ${down}px)`
  }
}
