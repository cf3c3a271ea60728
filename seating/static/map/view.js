/** Which part of the hall is shown, how large, and how mouse, wheel and touch change it. */

import { box } from './areas.js'

const MARGIN = 28 // CSS pixels around the whole hall, less on phones.
const LARGEST_SEAT = 44

export class View {
  x = 0
  y = 0
  scale = 1
  width = 1
  height = 1
  #moving = null
  #hall = null

  setHall(hall) {
    this.#hall = hall
    this.fit()
  }

  resize(width, height) {
    if (width === this.width && height === this.height) return
    const wasWhole = this.isWhole
    const [x, y] = this.toPlan(this.width / 2, this.height / 2)
    Object.assign(this, { width, height })
    if (!this.#hall) return
    if (wasWhole) this.fit()
    else this.#put(x, y, Math.max(this.scale, this.leastScale))
  }

  get margin() { return Math.min(MARGIN, 0.04 * this.width) }

  get leastScale() {
    const { left, top, right, bottom } = this.#hall.bounds
    const across = Math.max(1, this.width - 2 * this.margin) / (right - left)
    return Math.min(across, Math.max(1, this.height - 2 * this.margin) / (bottom - top), this.mostScale)
  }

  get mostScale() { return LARGEST_SEAT / (2 * this.#hall.usualRadius) }

  get isWhole() { return !this.#hall || this.scale <= this.leastScale * 1.001 }

  part() { return box(this.x, this.y, this.x + this.width / this.scale, this.y + this.height / this.scale) }

  toPlan(left, top) { return [this.x + left / this.scale, this.y + top / this.scale] }

  toScreen(x, y) { return [(x - this.x) * this.scale, (y - this.y) * this.scale] }

  fit(durationMs = 0) {
    const { left, top, right, bottom } = this.#hall.bounds
    this.move((left + right) / 2, (top + bottom) / 2, this.leastScale, durationMs)
  }

  show({ left, top, right, bottom }, durationMs, mostScale = this.mostScale) {
    const across = (this.width - 4 * this.margin) / Math.max(1, right - left)
    const scale = Math.min(mostScale, across, (this.height - 4 * this.margin) / Math.max(1, bottom - top))
    this.move((left + right) / 2, (top + bottom) / 2, scale, durationMs)
  }

  /** Bring a place into the middle. */
  move(x, y, scale, durationMs = 0) {
    const least = this.leastScale
    const target = [x, y, Math.min(this.mostScale, Math.max(least, scale))]
    this.#moving = null
    if (!durationMs) return this.#put(...target)
    const from = [...this.toPlan(this.width / 2, this.height / 2), this.scale]
    this.#moving = { from, target, start: performance.now(), durationMs }
  }

  step(now) {
    if (!this.#moving) return false
    const { from, target, start, durationMs } = this.#moving
    const share = Math.min(1, Math.max(0, now - start) / durationMs)
    const eased = 1 - (1 - share) ** 3
    const scale = from[2] * (target[2] / from[2]) ** eased
    // Places move as the scale does, so that a zoom keeps its centre.
    const done = from[2] === target[2] ? eased : (1 / from[2] - 1 / scale) / (1 / from[2] - 1 / target[2])
    this.#put(from[0] + (target[0] - from[0]) * done, from[1] + (target[1] - from[1]) * done, scale)
    if (share === 1) this.#moving = null
    return true
  }

  panBy(left, top) {
    this.#moving = null
    const [x, y] = this.toPlan(this.width / 2 - left, this.height / 2 - top)
    this.#put(x, y, this.scale)
  }

  /** Zoom by a factor; the place under (`left`, `top`) stays there. */
  zoomBy(factor, left = this.width / 2, top = this.height / 2, durationMs = 0) {
    const scale = Math.min(this.mostScale, Math.max(this.leastScale, this.scale * factor))
    const [x, y] = this.toPlan(left, top)
    this.move(x + (this.width / 2 - left) / scale, y + (this.height / 2 - top) / scale, scale, durationMs)
  }

  #put(x, y, scale) {
    const { left, top, right, bottom } = this.#hall.bounds
    const [halfWidth, halfHeight] = [this.width / 2 / scale, this.height / 2 / scale]
    const margin = this.margin / scale
    this.scale = scale
    this.x = within(x, left - margin, right + margin, halfWidth) - halfWidth
    this.y = within(y, top - margin, bottom + margin, halfHeight) - halfHeight
  }
}

/** The middle of a view that stays within the hall and its margin. */
function within(middle, low, high, half) {
  if (high - low <= 2 * half) return (low + high) / 2
  return Math.min(high - half, Math.max(low + half, middle))
}

const SLOP = { mouse: 4, pen: 6, touch: 10 } // CSS pixels that a tap may stray.
const WHEEL = 0.0022
const PINCH = 0.012

/** Tells `view` what is done on an element: `on` has `tap`, `hover`, `moved` and `zoomed`. */
export class Gestures {
  #pointers = new Map()
  #isTap = false

  constructor(element, view, on) {
    Object.assign(this, { element, view, on })
    element.addEventListener('pointerdown', this.#down)
    element.addEventListener('pointermove', this.#move)
    element.addEventListener('pointerup', this.#up)
    element.addEventListener('pointercancel', this.#cancel)
    element.addEventListener('pointerleave', () => this.on.hover(null))
    element.addEventListener('wheel', this.#wheel, { passive: false })
  }

  #at({ clientX, clientY }) {
    const { left, top } = this.element.getBoundingClientRect()
    return [clientX - left, clientY - top]
  }

  #down = (event) => {
    if (event.pointerType === 'mouse' && event.button !== 0) return
    this.element.setPointerCapture(event.pointerId)
    const at = this.#at(event)
    this.#pointers.set(event.pointerId, { start: at, at })
    this.#isTap = this.#pointers.size === 1
  }

  #move = (event) => {
    const pointer = this.#pointers.get(event.pointerId)
    const at = this.#at(event)
    if (!pointer) return event.pointerType === 'mouse' && this.on.hover(at)
    const before = this.#spread()
    const was = pointer.at
    pointer.at = at
    if (this.#isTap && Math.hypot(at[0] - pointer.start[0], at[1] - pointer.start[1]) < (SLOP[event.pointerType] ?? SLOP.pen)) {
      return pointer.at = was
    }
    this.#isTap = false
    this.on.hover(null)
    const after = this.#spread()
    this.view.panBy(after.x - before.x, after.y - before.y)
    if (before.distance && after.distance) {
      this.view.zoomBy(after.distance / before.distance, after.x, after.y)
      this.on.zoomed()
    }
    this.on.moved()
  }

  #spread() {
    const [one, two] = [...this.#pointers.values()].map(({ at }) => at)
    if (!two) return { x: one[0], y: one[1], distance: 0 }
    return { x: (one[0] + two[0]) / 2, y: (one[1] + two[1]) / 2, distance: Math.hypot(one[0] - two[0], one[1] - two[1]) }
  }

  #up = (event) => {
    const pointer = this.#pointers.get(event.pointerId)
    if (!pointer) return
    this.#pointers.delete(event.pointerId)
    if (this.#isTap) this.on.tap(pointer.at, event.pointerType)
    this.#isTap = false
  }

  #cancel = (event) => {
    this.#pointers.delete(event.pointerId)
    this.#isTap = false
  }

  #wheel = (event) => {
    const isOut = event.deltaY > 0
    if (this.view.isWhole && isOut) return // The page scrolls on.
    event.preventDefault()
    const pixels = event.deltaY * (event.deltaMode === 1 ? 16 : event.deltaMode === 2 ? 400 : 1)
    const [left, top] = this.#at(event)
    this.view.zoomBy(Math.exp(-pixels * (event.ctrlKey ? PINCH : WHEEL)), left, top)
    this.on.zoomed()
    this.on.moved()
  }
}
