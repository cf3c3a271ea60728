/** Pictures of parts of the hall, kept so that a move draws only what comes into view. */

import { box, overlap } from './areas.js'

const SIDE = 256 // Device pixels.
const BACKDROP = 640 // Device pixels of its longer side.
const KEPT = 2.5 // Times what is in view.
const PATCHED = 400 // More changes than that are drawn tile by tile.

class Layer {
  constructor(scale, unit) {
    this.scale = scale
    this.unit = unit
    this.span = SIDE / unit
    this.tiles = new Map()
  }

  /** The tiles in a rectangle of plan units, made if they are missing. */
  * within({ left, top, right, bottom }, make) {
    for (let row = Math.floor(top / this.span); row <= Math.floor(bottom / this.span); row++) {
      for (let column = Math.floor(left / this.span); column <= Math.floor(right / this.span); column++) {
        const key = `${column}/${row}`
        let tile = this.tiles.get(key)
        if (!tile && make) {
          const [x, y] = [column * this.span, row * this.span]
          tile = { key, x, y, bounds: box(x, y, x + this.span, y + this.span), canvas: null, isStale: true }
        }
        if (!tile) continue
        this.tiles.delete(key) // The most recently used are last.
        this.tiles.set(key, tile)
        yield tile
      }
    }
  }
}

export class Tiles {
  #layer = null
  #previous = null
  #backdrop = null
  #visible = box(0, 0, 0, 0)

  constructor(painter) { this.painter = painter }

  /** What was drawn before is shown until it is replaced. */
  rescale(scale) {
    const unit = scale * this.painter.density
    if (this.#layer?.unit === unit) return
    const isUseful = this.#layer && [...this.#layer.tiles.values()].some((tile) => tile.canvas)
    if (isUseful) this.#previous = this.#layer
    this.#layer = new Layer(scale, unit)
  }

  get scale() { return this.#layer?.scale ?? 0 }

  clear() { this.#layer = this.#previous = this.#backdrop = null }

  /** Draw the view; spend about `budgetMs` on new tiles. Return whether nothing is missing. */
  draw(context, view, budgetMs) {
    const started = performance.now()
    const part = this.#visible = view.part()
    const missing = []
    const tiles = [...this.#layer.within(part, true)]
    if (tiles.some(({ canvas }) => !canvas)) this.#showBackdrop(context, view)
    if (this.#previous) {
      for (const tile of this.#previous.within(part, false)) this.#show(context, view, this.#previous, tile)
    }
    for (const tile of tiles) {
      if (tile.isStale) {
        if (missing.length || performance.now() - started > budgetMs) missing.push(tile)
        else this.#paint(tile)
      }
      this.#show(context, view, this.#layer, tile)
    }
    if (!missing.length) this.#previous = null
    this.#forget(tiles.length)
    return !missing.length
  }

  #showBackdrop(context, view) {
    const { painter } = this
    const { left, top, right, bottom } = painter.hall.bounds
    if (!this.#backdrop) {
      const scale = BACKDROP / Math.max(right - left, bottom - top) / painter.density
      const unit = scale * painter.density
      const size = { width: Math.ceil((right - left) * unit), height: Math.ceil((bottom - top) * unit) }
      this.#backdrop = Object.assign(document.createElement('canvas'), size)
      painter.draw(this.#backdrop.getContext('2d'), painter.hall.bounds, left, top, scale)
    }
    const unit = view.scale * painter.density
    const size = [(right - left) * unit, (bottom - top) * unit]
    context.drawImage(this.#backdrop, (left - view.x) * unit, (top - view.y) * unit, ...size)
  }

  #show(context, view, layer, tile) {
    if (!tile.canvas) return
    const { density } = this.painter
    const unit = view.scale * density
    const place = (tile, origin) => (unit === layer.unit
      // From one rounded corner on: no seam opens between tiles.
      ? Math.round(Math.round(-origin * unit) + tile * unit) : (tile - origin) * unit)
    const rectangle = [place(tile.x, view.x), place(tile.y, view.y), layer.span * unit, layer.span * unit]
    context.clearRect(...rectangle)
    context.drawImage(tile.canvas, ...rectangle)
  }

  #paint(tile) {
    if (!tile.canvas) tile.canvas = Object.assign(document.createElement('canvas'), { width: SIDE, height: SIDE })
    const context = tile.canvas.getContext('2d')
    context.setTransform(1, 0, 0, 1, 0, 0)
    context.clearRect(0, 0, SIDE, SIDE)
    this.painter.draw(context, tile.bounds, tile.x, tile.y, this.#layer.scale)
    tile.isStale = false
  }

  #forget(shown) {
    const { tiles } = this.#layer
    for (const key of tiles.keys()) {
      if (tiles.size <= KEPT * shown) return
      tiles.delete(key)
    }
  }

  /** Draw these seats again where they are in view; elsewhere when they come into view. */
  changed(seats) {
    if (!this.#layer) return
    const { hall } = this.painter
    if (seats.length > PATCHED) return this.invalidate(hall.boundsOf(seats))
    const margin = 1 / this.#layer.unit
    const patches = new Map()
    for (const i of seats) {
      const reach = hall.radius[i] + margin
      const part = box(hall.x[i] - reach, hall.y[i] - reach, hall.x[i] + reach, hall.y[i] + reach)
      for (const tile of this.#layer.within(part, false)) {
        if (tile.isStale) continue
        if (!overlap(tile.bounds, this.#visible)) tile.isStale = true
        else if (patches.has(tile)) patches.get(tile).push(part)
        else patches.set(tile, [part])
      }
    }
    for (const [tile, parts] of patches) this.#patch(tile, parts)
  }

  /** Draw parts of a tile: all ground, then all seats. */
  #patch(tile, parts) {
    const { painter } = this
    const context = tile.canvas.getContext('2d')
    const { unit, scale } = this.#layer
    context.setTransform(unit, 0, 0, unit, -tile.x * unit, -tile.y * unit)
    for (const part of parts) this.#clear(context, tile, part, scale)
    context.setTransform(1, 0, 0, 1, 0, 0)
    painter.drawSeats(context, new Set(parts.flatMap((part) => painter.seatsIn(part))), tile.x, tile.y, unit)
  }

  #clear(context, tile, part, scale) {
    const rectangle = [part.left, part.top, part.right - part.left, part.bottom - part.top]
    if (!this.painter.areas.some(({ bounds }) => overlap(bounds, part))) return context.clearRect(...rectangle)
    context.save() // Areas go on outside.
    context.beginPath()
    context.rect(...rectangle)
    context.clip()
    context.clearRect(...rectangle)
    this.painter.drawAreas(context, part, tile.x, tile.y, scale)
    context.restore()
  }

  invalidate(part) {
    this.#backdrop = null
    for (const tile of this.#layer?.tiles.values() ?? []) if (overlap(tile.bounds, part)) tile.isStale = true
  }
}
