/** What each frame draws over the hall, and the small map. */

import { inkOn } from './colors.js'
import { centre, seatPath } from './painter.js'

const OTHERS_MS = 300
const MOST_PULSES = 60
const LEAST_OWN = 5 // CSS pixels, as all that follow.
const NAME = 44
const MOST_NAME = 400

function drawRings(context, x, y, rings) {
  for (const [radius, color] of rings) {
    context.fillStyle = color
    context.fill(seatPath(x, y, radius, false))
  }
}

function drawCheck(context, x, y, size, color) {
  Object.assign(context, { strokeStyle: color, lineWidth: 1.6, lineCap: 'round', lineJoin: 'round' })
  context.beginPath()
  context.moveTo(x - 0.45 * size, y)
  context.lineTo(x - 0.1 * size, y + 0.36 * size)
  context.lineTo(x + 0.48 * size, y - 0.34 * size)
  context.stroke()
}

/** The sign of a seat of one's own where a number has no room. */
export function drawChosen(context, x, y, size, theme) {
  drawRings(context, x, y, [[size + 1.5, theme.paper], [size, theme.accent]])
  drawCheck(context, x, y, size, inkOn(theme.accent))
}

export class Overlay {
  #pulses = new Map()
  #names = new Map()

  constructor(painter) { this.painter = painter }

  /** Show that others took or returned a seat, which had status `was`. */
  pulse(seat, was, now) {
    if (this.#pulses.size < MOST_PULSES) this.#pulses.set(seat, { was, start: now })
  }

  get isMoving() { return this.#pulses.size > 0 }

  clear() { this.#names.clear() }

  /** The context's unit is a CSS pixel. `marked` has `own` seats, `seat` and `part` in focus, and `hovered`. */
  draw(context, view, marked, words, priceFrom, now) {
    this.#drawPulses(context, view, now)
    if (this.painter.isFar(view.scale)) this.#drawNames(context, view, words, priceFrom)
    for (const seat of marked.own) this.#drawOwn(context, view, seat)
    if (marked.hovered >= 0) this.#ring(context, view, marked.hovered, this.painter.theme.ink, 2)
    if (marked.seat >= 0) this.#ring(context, view, marked.seat, this.painter.theme.accent, 3)
    if (marked.part) this.#frame(context, view, marked.part)
  }

  #place(view, seat) {
    const { hall } = this.painter
    const [left, top] = view.toScreen(hall.x[seat], hall.y[seat])
    const isShown = left > -60 && top > -60 && left < view.width + 60 && top < view.height + 60
    return { left, top, radius: hall.radius[seat] * view.scale, isShown }
  }

  #drawPulses(context, view, now) {
    for (const [seat, { was, start }] of this.#pulses) {
      const share = (now - start) / OTHERS_MS
      const { left, top, radius, isShown } = this.#place(view, seat)
      if (share >= 1) this.#pulses.delete(seat)
      if (share >= 1 || !isShown || this.painter.isFar(view.scale)) continue
      const category = this.painter.hall.category[seat]
      context.globalAlpha = 1 - Math.max(0, share)
      if (was <= 1) this.painter.drawSign(context, left, top, radius, category, was, 1)
      context.strokeStyle = this.painter.theme.colors[category]
      context.lineWidth = 2
      context.stroke(seatPath(left, top, radius * (1 + Math.max(0, share)), false))
      context.globalAlpha = 1
    }
  }

  #drawNames(context, view, words, priceFrom) {
    const { hall, theme, left: counts } = this.painter
    for (const section of hall.sections) {
      const [left, top] = view.toScreen(section.centre.x, section.centre.y)
      if (left < -200 || top < -60 || left > view.width + 200 || top > view.height + 60) continue
      const room = Math.round((section.bounds.right - section.bounds.left) * view.scale - 6)
      const height = Math.round((section.bounds.bottom - section.bounds.top) * view.scale - 4)
      const count = counts[section.number]
      const key = `${room}/${height}/${count}`
      let name = this.#names.get(section)
      if (name?.key !== key) {
        const price = count ? priceFrom(section) : ''
        const state = count ? words.left(words.number(count)) : words.none
        const texts = [section.title, `${state}${price && ` · ${words.from(price)}`}`, state]
        name = { key, picture: this.#picture(room, height, texts, count ? theme.ink : theme.quiet) }
        this.#names.set(section, name)
      }
      const { picture } = name
      if (picture) context.drawImage(picture, left - picture.half, top - NAME / 2, 2 * picture.half, NAME)
    }
  }

  #picture(room, height, [name, long, short], color) {
    const { theme, density } = this.painter
    const picture = document.createElement('canvas')
    const context = picture.getContext('2d')
    const fits = (text, size, weight) => {
      context.font = `${weight} ${size}px ${theme.font}`
      return context.measureText(text).width <= room
    }
    const choices = [name, name.split(' ').at(-1)].flatMap((text) => [16, 14, 12].map((size) => [size, text]))
      .filter(([size, text]) => size < height && fits(text, size, 600))
    const hasRoom = ([size]) => size + Math.min(13, size) < height
    const [size, title] = choices.find(hasRoom) ?? choices[0] ?? []
    if (!size) return null
    const small = Math.min(13, size)
    const state = hasRoom([size]) ? [long, short].find((text) => fits(text, small, 400)) : null
    picture.half = Math.min(room, MOST_NAME) / 2 + 4
    Object.assign(picture, { width: 2 * picture.half * density, height: NAME * density })
    context.setTransform(density, 0, 0, density, picture.half * density, (NAME / 2) * density)
    centre(context).fillStyle = color
    const write = (text, font, y) => {
      context.font = `${font} ${theme.font}`
      context.fillText(text, 0, y)
    }
    write(title, `600 ${size}px`, state ? -small * 0.65 : 0)
    if (state) write(state, `400 ${small}px`, size * 0.65)
    return picture
  }

  #drawOwn(context, view, seat) {
    const { left, top, radius, isShown } = this.#place(view, seat)
    if (!isShown) return
    const { hall, theme } = this.painter
    const size = Math.max(LEAST_OWN, radius)
    if (size < 9) return drawChosen(context, left, top, size, theme)
    drawRings(context, left, top, [[size + 4, theme.paper], [size + 3, theme.accent], [size + 1, theme.paper], [size, theme.accent]])
    context.fillStyle = inkOn(theme.accent)
    centre(context)
    this.painter.drawNumber(context, left, top, size, hall.numbers[seat])
    const badge = Math.max(5, size * 0.42)
    const [x, y] = [left + size * 0.85, top - size * 0.85]
    drawRings(context, x, y, [[badge + 1.5, theme.accent], [badge, theme.paper]])
    drawCheck(context, x, y, badge * 0.9, theme.accent)
  }

  #ring(context, view, seat, color, width) {
    const { left, top, radius } = this.#place(view, seat)
    const size = Math.max(LEAST_OWN, radius) + 3
    context.lineWidth = width + 3
    context.strokeStyle = this.painter.theme.paper
    context.stroke(seatPath(left, top, size, false))
    context.lineWidth = width
    context.strokeStyle = color
    context.stroke(seatPath(left, top, size, false))
  }

  #frame(context, view, { left, top, right, bottom }) {
    const { pitch } = this.painter.hall
    const [x, y] = view.toScreen(left - pitch / 2, top - pitch / 2)
    const [width, height] = [(right - left + pitch) * view.scale, (bottom - top + pitch) * view.scale]
    for (const [color, thickness] of [[this.painter.theme.paper, 6], [this.painter.theme.accent, 3]]) {
      context.strokeStyle = color
      context.lineWidth = thickness
      context.beginPath()
      context.roundRect(x, y, width, height, 10)
      context.stroke()
    }
  }
}

const WIDTH = 132
const HEIGHT = 100
const MARGIN = 6

export class Minimap {
  #picture = null

  constructor(canvas, painter, view, moved) {
    Object.assign(this, { canvas, painter, view, moved })
    canvas.style.width = `${WIDTH}px`
    canvas.style.height = `${HEIGHT}px`
    const go = (event) => event.buttons && this.#go(event)
    canvas.addEventListener('pointerdown', (event) => {
      canvas.setPointerCapture(event.pointerId)
      go(event)
    })
    canvas.addEventListener('pointermove', go)
  }

  get #frame() {
    const { left, top, right, bottom } = this.painter.hall.bounds
    const scale = Math.min((WIDTH - 2 * MARGIN) / (right - left), (HEIGHT - 2 * MARGIN) / (bottom - top))
    return { scale, x: (left + right - WIDTH / scale) / 2, y: (top + bottom - HEIGHT / scale) / 2 }
  }

  #go({ clientX, clientY }) {
    const corner = this.canvas.getBoundingClientRect()
    const { scale, x, y } = this.#frame
    this.view.move(x + (clientX - corner.left) / scale, y + (clientY - corner.top) / scale, this.view.scale)
    this.moved()
  }

  clear() { this.#picture = null }

  draw() {
    const { density, hall, theme } = this.painter
    const { scale, x, y } = this.#frame
    if (!this.#picture) {
      this.#picture = Object.assign(document.createElement('canvas'), { width: WIDTH * density, height: HEIGHT * density })
      this.painter.draw(this.#picture.getContext('2d'), hall.bounds, x, y, scale)
      Object.assign(this.canvas, { width: WIDTH * density, height: HEIGHT * density })
    }
    const context = this.canvas.getContext('2d')
    context.setTransform(1, 0, 0, 1, 0, 0)
    context.clearRect(0, 0, this.canvas.width, this.canvas.height)
    context.drawImage(this.#picture, 0, 0)
    context.setTransform(density, 0, 0, density, 0, 0)
    const part = this.view.part()
    const [left, top] = [Math.max(1.5, (part.left - x) * scale), Math.max(1.5, (part.top - y) * scale)]
    const [right, bottom] = [Math.min(WIDTH - 1.5, (part.right - x) * scale), Math.min(HEIGHT - 1.5, (part.bottom - y) * scale)]
    context.lineWidth = 2
    context.strokeStyle = theme.accent
    context.strokeRect(left, top, right - left, bottom - top)
  }
}
