/** Draws any part of a hall at any scale: sections as shapes, seats as signs of their state. */

import { areaBounds, box, drawArea, Grid, overlap } from './areas.js'
import { inkOn, mix } from './colors.js'

const SEATS_FROM = 5 // CSS pixels, the diameter of a usual seat.
const NUMBERS_FROM = 14
const LABELS_FROM = 9 // Between two rows.
const LEVELS = 8

export const FREE = 0
export const HELD = 1

export class Painter {
  /** `terms` says which categories are accessible, `theme` has the colours. */
  constructor(hall, statuses, terms, theme, density) {
    Object.assign(this, { hall, statuses, terms, theme, density })
    this.areas = hall.areas.map((area) => ({ area, bounds: areaBounds(area) }))
    this.labels = new Grid(4 * hall.pitch)
    for (const label of rowLabels(hall)) this.labels.add(label.x, label.y, label)
    /** Seats left of each section, and of each of its categories in turn. */
    this.left = new Uint32Array(hall.sections.length)
    this.leftOf = new Uint32Array(hall.sections.length * hall.categories.length)
    this.levels = hall.sections.map(() => -1)
    for (let i = 0; i < hall.size; i++) if (statuses[i] === FREE) this.#add(i, 1)
    this.#relevel(hall.sections)
  }

  #sprites = []
  #unit = 0

  setTheme(theme, density) {
    Object.assign(this, { theme, density })
    this.#unit = 0
  }

  isFar(scale) { return 2 * this.hall.usualRadius * scale < SEATS_FROM }

  #add(seat, count) {
    const section = this.hall.sectionOf[seat]
    this.left[section] += count
    this.leftOf[section * this.hall.categories.length + this.hall.category[seat]] += count
  }

  /** Count these seats, which have changed from `before`; return the sections that look different from afar. */
  recount(seats, before) {
    seats.forEach((seat, i) => this.#add(seat, (this.statuses[seat] === FREE) - (before[i] === FREE)))
    return this.#relevel([...new Set(seats.map((seat) => this.hall.sections[this.hall.sectionOf[seat]]))])
  }

  #relevel(sections) {
    return sections.filter(({ number, seats }) => {
      const level = Math.ceil((LEVELS * this.left[number]) / seats.length)
      if (level === this.levels[number]) return false
      this.levels[number] = level
      return true
    })
  }

  /** Draw what is in a rectangle of plan units. The context's origin is at (`x`, `y`), its unit a device pixel. */
  draw(context, part, x, y, scale) {
    const unit = scale * this.density
    this.drawAreas(context, part, x, y, scale)
    if (this.isFar(scale)) return this.#drawSections(context, part, scale)
    context.setTransform(1, 0, 0, 1, 0, 0)
    this.drawSeats(context, this.seatsIn(part), x, y, unit)
    this.#drawLabels(context, around(part, this.hall.pitch), x, y, unit)
  }

  drawAreas(context, part, x, y, scale) {
    const unit = scale * this.density
    context.setTransform(unit, 0, 0, unit, -x * unit, -y * unit)
    for (const { area, bounds } of this.areas) {
      if (overlap(bounds, part)) drawArea(context, area, this.theme, scale)
    }
  }

  #drawSections(context, part, scale) {
    Object.assign(context, { lineCap: 'round', lineJoin: 'round' })
    for (const section of this.hall.sections) {
      if (!overlap(section.outline, part)) continue
      const bands = this.#bands(section)
      for (const edge of [true, false]) {
        for (const [category, path] of bands) {
          context.strokeStyle = this.sectionColor(section, category, edge)
          context.lineWidth = section.thickness + (edge ? 2 / scale : 0)
          context.stroke(path)
        }
      }
    }
  }

  #bands(section) {
    section.bands ??= section.path.reduce((bands, points) => {
      const category = this.hall.category[points[0]]
      const path = bands.get(category) ?? new Path2D()
      points.forEach((i, place) => path[place ? 'lineTo' : 'moveTo'](this.hall.x[i], this.hall.y[i]))
      if (points.length < 2 || points[0] === points[1]) path.lineTo(this.hall.x[points[0]] + 0.01, this.hall.y[points[0]])
      return bands.set(category, path)
    }, new Map())
    return section.bands
  }

  sectionColor(section, category, edge = false) {
    const { paper, ink, colors } = this.theme
    const share = this.levels[section.number] / LEVELS
    if (!share) return mix(ink, paper, edge ? 0.22 : 0.08)
    return mix(colors[category], paper, edge ? 0.85 : 0.12 + 0.3 * share)
  }

  /** Return the seats that reach into a rectangle. */
  seatsIn(part) {
    const { grid, x, y, usualRadius } = this.hall
    const reach = around(part, usualRadius)
    const seats = []
    grid.eachIn(reach, (i) => {
      if (x[i] >= reach.left && x[i] <= reach.right && y[i] >= reach.top && y[i] <= reach.bottom) seats.push(i)
    })
    return seats
  }

  /** Draw seats, with their numbers where there is room; the context as for `draw`. */
  drawSeats(context, seats, x, y, unit) {
    const { hall, statuses } = this
    const isNear = 2 * hall.usualRadius * unit >= NUMBERS_FROM * this.density
    centre(context)
    for (const i of seats) {
      const [left, top, radius] = [(hall.x[i] - x) * unit, (hall.y[i] - y) * unit, hall.radius[i] * unit]
      if (isNear) this.#drawSeat(context, left, top, radius, i)
      else {
        const sprite = this.#sprite(hall.category[i], statuses[i], unit)
        const size = (sprite.width * hall.radius[i]) / hall.usualRadius
        context.drawImage(sprite, left - size / 2, top - size / 2, size, size)
      }
    }
  }

  #sprite(category, status, unit) {
    if (unit !== this.#unit) [this.#unit, this.#sprites] = [unit, []]
    const key = 3 * category + Math.min(status, 2)
    let sprite = this.#sprites[key]
    if (!sprite) {
      const radius = this.hall.usualRadius * unit
      const size = Math.ceil(2 * radius) + 4
      sprite = Object.assign(document.createElement('canvas'), { width: size, height: size })
      this.drawSign(sprite.getContext('2d'), size / 2, size / 2, radius, category, status)
      this.#sprites[key] = sprite
    }
    return sprite
  }

  drawSign(context, x, y, radius, category, status, density = this.density) {
    const color = this.theme.colors[category]
    const isSquare = this.terms.isAccessible(category)
    if (status === FREE) {
      context.fillStyle = color
      context.fill(seatPath(x, y, radius, isSquare))
      if (isSquare && radius > 3.5 * density) drawSymbol(context, x, y, radius, inkOn(color))
    } else if (status === HELD) {
      context.lineWidth = Math.max(density, radius * 0.22)
      context.strokeStyle = mix(color, this.theme.paper, this.theme.isDark ? 0.65 : 0.45)
      context.stroke(seatPath(x, y, radius - context.lineWidth / 2, isSquare))
    } else {
      context.fillStyle = this.theme.taken
      context.fill(seatPath(x, y, Math.max(radius * 0.38, 0.8 * density), false))
    }
  }

  #drawSeat(context, left, top, radius, i) {
    const { hall, statuses, theme } = this
    const category = hall.category[i]
    this.drawSign(context, left, top, radius, category, statuses[i])
    const hasSymbol = statuses[i] === FREE && this.terms.isAccessible(category)
    if (statuses[i] > HELD || hasSymbol) return
    context.fillStyle = statuses[i] === FREE ? inkOn(theme.colors[category]) : theme.quiet
    this.drawNumber(context, left, top, radius, hall.numbers[i])
  }

  drawNumber(context, x, y, radius, number) {
    const size = radius * (number.length > 2 ? 0.72 : 0.95)
    context.font = `600 ${size}px ${this.theme.font}`
    context.fillText(number, x, y + size * 0.06, ...(number.length > 2 ? [1.7 * radius] : []))
  }

  #drawLabels(context, around, x, y, unit) {
    const room = (this.hall.pitch * unit) / this.density
    if (room < LABELS_FROM) return
    context.fillStyle = this.theme.quiet
    centre(context)
    context.font = `${Math.min(14, 0.3 * room + 6) * this.density}px ${this.theme.font}`
    this.labels.eachIn(around, ({ text, x: left, y: top }) => context.fillText(text, (left - x) * unit, (top - y) * unit))
  }
}

const around = ({ left, top, right, bottom }, margin) => box(left - margin, top - margin, right + margin, bottom + margin)

/** The names of rows: where the plan says so, or else at both ends. */
function rowLabels(hall) {
  const labels = []
  const add = (text, end, before) => {
    const [dx, dy] = end === before ? [hall.pitch, 0] : [hall.x[end] - hall.x[before], hall.y[end] - hall.y[before]]
    const out = (0.95 * hall.pitch) / Math.hypot(dx, dy)
    labels.push({ text, x: hall.x[end] + dx * out, y: hall.y[end] + dy * out })
  }
  const ends = (text, seats, where) => {
    if (!text) return
    const last = seats.length - 1
    if (where !== 'end') add(text, seats[0], seats[Math.min(1, last)])
    if (where !== 'start' && last) add(text, seats[last], seats[last - 1])
  }
  if (hall.lines.some((line) => line.rowNumberPosition)) {
    for (const { label, first, end, rowNumberPosition } of hall.lines) {
      const seats = Array.from({ length: end - first }, (_, place) => first + place)
      if (rowNumberPosition) ends(label, seats, rowNumberPosition)
    }
  } else for (const { rows } of hall.sections) for (const { label, seats } of rows) ends(label, seats, 'both')
  return labels
}

export const centre = (context) => Object.assign(context, { textAlign: 'center', textBaseline: 'middle' })

/** A circle, or for an accessible seat a rounded square. */
export function seatPath(x, y, radius, isSquare) {
  const path = new Path2D()
  if (isSquare) path.roundRect(x - radius, y - radius, 2 * radius, 2 * radius, radius * 0.35)
  else path.arc(x, y, Math.max(0, radius), 0, 2 * Math.PI)
  return path
}

function drawSymbol(context, x, y, radius, color) {
  context.save()
  context.translate(x, y)
  context.scale(radius / 10, radius / 10)
  Object.assign(context, { strokeStyle: color, lineWidth: 1.7, lineCap: 'round', lineJoin: 'round' })
  context.stroke(new Path2D('M-1.2-3.4V1H3L4.6 5.4M-1.2-1.2H2.4M-2.6-.9A4 4 0 1 0 2.7 4.9'))
  context.lineWidth = 3
  context.stroke(new Path2D('M-1.2-6h.1'))
  context.restore()
}
