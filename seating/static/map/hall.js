/** A plan as flat arrays: where each seat is, what it belongs to, and how to find it by its place. */

import { areaBounds, box, Grid } from './areas.js'
import { findSections } from './sections.js'

const USUAL_RADIUS = 10
const TOUCHING = 0.46

export class Hall {
  /** `plan` as `GET …/plan` sends it. */
  constructor(plan) {
    this.areas = plan.areas
    this.categories = plan.categories
    const count = plan.totalSeats
    this.ids = []
    this.numbers = []
    this.x = new Float32Array(count)
    this.y = new Float32Array(count)
    this.radius = new Float32Array(count)
    this.category = new Uint16Array(count)
    this.lineOf = new Uint32Array(count)
    /** Stretches of seats that stand side by side. */
    this.lines = []
    this.#read(plan)
    this.pitch = this.#findPitch()
    this.radius = this.radius.map((own) => Math.min(own || USUAL_RADIUS, TOUCHING * this.pitch))
    this.usualRadius = Math.min(USUAL_RADIUS, TOUCHING * this.pitch)
    this.grid = new Grid(2 * this.pitch)
    for (let i = 0; i < count; i++) this.grid.add(this.x[i], this.y[i], i)
    this.sectionOf = new Uint16Array(count)
    this.sections = findSections(this, plan)
    this.bounds = this.#findBounds(plan.size)
  }

  get size() { return this.ids.length }

  #read(plan) {
    let index = 0
    for (const block of plan.blocks) {
      const zone = plan.zones?.length ? block.zone : block.name
      for (const row of block.rows) {
        const first = index
        row.seats.forEach((id, place) => {
          this.ids[index] = id
          this.numbers[index] = row.numbers[place]
          this.x[index] = row.x[place]
          this.y[index] = row.y[place]
          this.radius[index] = row.radius?.[place]
          this.category[index] = block.category
          this.lineOf[index++] = this.lines.length
        })
        const { label, rowLabel = '', seatLabel = '', rowNumberPosition = null } = row
        this.lines.push({ first, end: index, label, rowLabel, seatLabel, rowNumberPosition, zone, name: block.name })
      }
    }
  }

  #findPitch() {
    const gaps = new Float32Array(this.size - this.lines.length)
    let count = 0
    for (const { first, end } of this.lines) {
      for (let i = first + 1; i < end; i++) gaps[count++] = this.between(i - 1, i)
    }
    gaps.sort()
    return gaps[Math.floor((gaps.length - 1) / 3)] || 2.5 * USUAL_RADIUS
  }

  between(i, j) { return Math.hypot(this.x[i] - this.x[j], this.y[i] - this.y[j]) }

  /** The nearest seat within `reach` plan units that `suits`, or -1. */
  nearest(x, y, reach, suits = () => true) {
    let found = -1
    let least = reach
    this.grid.eachIn(box(x - reach, y - reach, x + reach, y + reach), (i) => {
      const distance = Math.hypot(this.x[i] - x, this.y[i] - y)
      if (distance <= least && suits(i)) [found, least] = [i, distance]
    })
    return found
  }

  boundsOf(seats) {
    const found = box(Infinity, Infinity, -Infinity, -Infinity)
    for (const i of seats) {
      const margin = this.radius[i]
      found.left = Math.min(found.left, this.x[i] - margin)
      found.top = Math.min(found.top, this.y[i] - margin)
      found.right = Math.max(found.right, this.x[i] + margin)
      found.bottom = Math.max(found.bottom, this.y[i] + margin)
    }
    return found
  }

  #findBounds(size) {
    const found = this.boundsOf(this.ids.keys())
    const room = 1.4 * this.pitch // For the names of rows.
    found.left -= room
    found.right += room
    for (const area of this.areas) {
      if (size && (area.position.x > size.width || area.position.y > size.height)) continue
      const shape = areaBounds(area)
      found.left = Math.min(found.left, shape.left)
      found.top = Math.min(found.top, shape.top)
      found.right = Math.max(found.right, shape.right)
      found.bottom = Math.max(found.bottom, shape.bottom)
    }
    return found
  }
}
