/** The operator's picture of a hall: every seat by its state, at any zoom. */

import { canvasColor } from '../elements.js'
import { drawArea } from '../map/areas.js'
import { mix } from '../map/colors.js'
import { View } from '../map/view.js'
import { STATUSES } from '../seating-feed.js'

const COLORS = { available: '--good', held: '--warm', reserved: '--blocked', sold: '--accent', chosen: '--ink', paper: '--paper' }
const NUMBERS_FROM = 8 // CSS pixels of a seat's radius.
const NAMES_UP_TO = 5

export class Drawing {
  view = new View()
  #colors = Object.fromEntries(Object.entries(COLORS).map(([name, token]) => [name, canvasColor(token)]))
  #seats = document.createElement('canvas')
  #key = ''
  #isStale = true

  constructor(canvas) {
    this.canvas = canvas
    this.font = getComputedStyle(canvas).fontFamily
  }

  setHall(hall) {
    this.hall = hall
    this.view.setHall(hall)
    this.changed()
  }

  /** Seats or their choice changed: they are drawn anew, and not only what lies over them. */
  changed() { this.#isStale = true }

  resize(width, height) {
    this.view.resize(width, height)
    const size = { width: Math.round(width * devicePixelRatio), height: Math.round(height * devicePixelRatio) }
    for (const each of [this.canvas, this.#seats]) Object.assign(each, size)
    this.changed()
  }

  paint(statuses, chosen, line) {
    const { x, y, scale } = this.view
    const key = `${x}/${y}/${scale}`
    if (this.#isStale || key !== this.#key) this.#paintSeats(statuses, chosen)
    this.#key = key
    this.#isStale = false
    const context = this.canvas.getContext('2d')
    context.setTransform(1, 0, 0, 1, 0, 0)
    context.clearRect(0, 0, this.canvas.width, this.canvas.height)
    context.drawImage(this.#seats, 0, 0)
    if (!line || line.length < 2) return
    context.setTransform(devicePixelRatio, 0, 0, devicePixelRatio, 0, 0)
    Object.assign(context, { strokeStyle: this.#colors.chosen, lineWidth: 1.5 })
    context.setLineDash([4, 4])
    context.beginPath()
    for (const [left, top] of line) context.lineTo(...this.view.toScreen(left, top))
    context.stroke()
    context.setLineDash([])
  }

  #paintSeats(statuses, chosen) {
    const { hall, view } = this
    const context = this.#seats.getContext('2d')
    context.setTransform(devicePixelRatio, 0, 0, devicePixelRatio, 0, 0)
    context.clearRect(0, 0, view.width, view.height)
    this.#paintAreas(context)
    const [paths, own, numbers] = [STATUSES.map(() => new Path2D()), new Path2D(), []]
    const radius = Math.max(1, hall.usualRadius * view.scale * 0.9)
    for (let seat = 0; seat < hall.size; seat++) {
      const [left, top] = view.toScreen(hall.x[seat], hall.y[seat])
      if (left < -radius || top < -radius || left > view.width + radius || top > view.height + radius) continue
      const status = statuses[seat]
      addSign(paths[status], STATUSES[status], left, top, radius)
      if (chosen.has(seat)) own.rect(left - radius - 1, top - radius - 1, 2 * radius + 2, 2 * radius + 2)
      if (radius >= NUMBERS_FROM && STATUSES[status] !== 'sold') numbers.push([hall.numbers[seat], left, top, status])
    }
    STATUSES.forEach((status, index) => {
      context.fillStyle = context.strokeStyle = this.#colors[status]
      context.lineWidth = Math.max(1, radius * (radius < NUMBERS_FROM ? 0.35 : 0.15))
      context[status === 'held' ? 'stroke' : 'fill'](paths[index])
    })
    context.strokeStyle = this.#colors.chosen
    context.lineWidth = 1.5
    context.stroke(own)
    this.#writeNumbers(context, numbers, radius)
    if (radius < NAMES_UP_TO) this.#writeNames(context)
  }

  /** The stage and what else the plan shows, all in the colour of the paper: they are there to find one's way. */
  #paintAreas(context) {
    const { x, y, scale } = this.view
    const { paper, chosen: ink } = this.#colors
    const theme = { paper, quiet: mix(ink, paper, 0.66), hairline: mix(ink, paper, 0.22), area: mix(ink, paper, 0.1), font: this.font, isDark: true }
    context.save()
    context.scale(scale, scale)
    context.translate(-x, -y)
    for (const area of this.hall.areas) drawArea(context, area, theme, scale)
    context.restore()
  }

  #writeNumbers(context, numbers, radius) {
    Object.assign(context, { textAlign: 'center', textBaseline: 'middle', font: `600 ${radius * 0.9}px ${this.font}` })
    for (const [number, left, top, status] of numbers) {
      context.fillStyle = STATUSES[status] === 'held' ? this.#colors.held : this.#colors.paper
      context.fillText(number, left, top)
    }
  }

  /** Of sections that have room for it, on a ground that lets the seats around be seen. */
  #writeNames(context) {
    const { hall, view } = this
    if (hall.sections.length < 2) return
    Object.assign(context, { textAlign: 'center', textBaseline: 'middle', font: `600 12px ${this.font}` })
    for (const { title, bounds, centre } of hall.sections) {
      const [left, top] = view.toScreen(centre.x, centre.y)
      const { width } = context.measureText(title)
      if (width > (bounds.right - bounds.left) * view.scale) continue
      context.fillStyle = this.#colors.paper
      context.globalAlpha = 0.85
      context.fillRect(left - width / 2 - 4, top - 9, width + 8, 18)
      context.globalAlpha = 1
      context.fillStyle = this.#colors.chosen
      context.fillText(title, left, top)
    }
  }
}

/** A state has a shape as well as a colour: free a disc, held a ring, blocked a square, sold a dot. */
function addSign(path, status, x, y, radius) {
  if (status === 'reserved') return path.rect(x - radius * 0.8, y - radius * 0.8, radius * 1.6, radius * 1.6)
  const size = { available: radius, held: radius * 0.8, sold: radius / 2 }[status]
  path.moveTo(x + size, y)
  path.arc(x, y, size, 0, 2 * Math.PI)
}
