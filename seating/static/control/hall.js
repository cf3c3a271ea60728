/** The hall with the operator's eyes: every seat by its state, chosen with a lasso, by section or one by one. */

import { Hall } from '../map/hall.js'
import { SeatingFeed, STATUSES } from '../seating-feed.js'
import { byId, canvasColor, element, show } from '../elements.js'

const MARGIN = 16
const CLICKED_PX = 5
const NOT_LIVE = 'This map is not live.'
const COLORS = { available: '--good', held: '--warm', reserved: '--blocked', sold: '--accent', chosen: '--ink' }

export class OperatorsHall {
  chosen = new Set()
  #feed = null
  #hall = null
  #scale = 1
  #left = 0
  #top = 0
  #lasso = null
  #drawing = 0

  /** `onChoose` is told of each new choice, `onSeat` of a seat that is clicked. */
  constructor(session, onChoose, onSeat) {
    Object.assign(this, { session, onChoose, onSeat })
    this.canvas = byId('hall')
    this.colors = Object.fromEntries(Object.entries(COLORS).map(([name, token]) => [name, canvasColor(token)]))
    new ResizeObserver(() => this.#fit()).observe(this.canvas.parentElement)
    this.canvas.addEventListener('pointerdown', (event) => this.#begin(event))
    this.canvas.addEventListener('pointermove', (event) => this.#drag(event))
    this.canvas.addEventListener('pointerup', (event) => this.#end(event))
    this.canvas.addEventListener('pointercancel', () => {
      this.#lasso = null
    })
  }

  show(event) {
    this.#feed?.stop()
    this.#feed = this.#hall = null
    this.chosen = new Set()
    byId('seats-box').hidden = !event.seated
    byId('sections').replaceChildren()
    this.onChoose([])
    if (!event.seated) return
    const feed = (this.#feed = new SeatingFeed({ event: event.id, headers: this.session.headers }))
    feed.addEventListener('plan', () => {
      this.#hall = new Hall(feed.plan)
      this.#showSections()
      this.#fit()
    })
    for (const name of ['snapshot', 'seats']) feed.addEventListener(name, () => this.#draw())
    const tell = (text) => feed === this.#feed && show(byId('hall-state'), text)
    feed.addEventListener('connection', ({ detail }) => tell(detail.connection === 'live' ? '' : NOT_LIVE))
    feed.addEventListener('refused', ({ detail }) => {
      const isDraft = this.#hall && event.state === 'draft'
      tell(isDraft ? 'This map of a draft is not live: it is shown as it was when you opened it or acted.' : `${NOT_LIVE} ${detail.message}`)
    })
    tell(NOT_LIVE)
    feed.start()
  }

  /** Get the seats anew where no feed brings changes. */
  refresh() {
    if (this.#feed?.connection !== 'offline') return
    this.#feed.refresh()
    this.#feed.start()
  }

  /** How many of the chosen seats have each status. */
  get counts() {
    const counts = { available: 0, held: 0, reserved: 0, sold: 0 }
    for (const seat of this.chosen) counts[STATUSES[this.#feed.statuses[seat]]]++
    return counts
  }

  get ids() {
    return [...this.chosen].map((seat) => this.#feed.ids[seat])
  }

  chooseSeat(id) {
    const seat = this.#feed?.indexOf(id)
    if (seat !== undefined) this.#choose([seat])
  }

  clear() {
    this.#choose([])
  }

  #showSections() {
    const buttons = this.#hall.sections.map((section) =>
      element('button', { type: 'button', onclick: () => this.#choose(section.seats) }, section.title ?? section.name),
    )
    byId('sections').replaceChildren(element('span', { class: 'quiet' }, 'Section:'), ...buttons)
  }

  #choose(seats, isMore = false) {
    this.chosen = new Set(isMore ? [...this.chosen, ...seats] : seats)
    this.onChoose(this.ids)
    this.#draw()
  }

  #fit() {
    if (!this.#hall) return
    const { clientWidth: width, clientHeight: height } = this.canvas.parentElement
    const { left, top, right, bottom } = this.#hall.bounds
    const density = devicePixelRatio
    Object.assign(this.canvas, { width: width * density, height: height * density })
    this.#scale = Math.min((width - 2 * MARGIN) / (right - left), (height - 2 * MARGIN) / (bottom - top))
    this.#left = width / 2 - ((left + right) / 2) * this.#scale
    this.#top = height / 2 - ((top + bottom) / 2) * this.#scale
    this.#draw()
  }

  #draw() {
    this.#drawing ||= requestAnimationFrame(() => this.#paint())
  }

  #paint() {
    this.#drawing = 0
    const hall = this.#hall
    if (!hall) return
    const context = this.canvas.getContext('2d')
    context.setTransform(devicePixelRatio, 0, 0, devicePixelRatio, 0, 0)
    context.clearRect(0, 0, this.canvas.width, this.canvas.height)
    const [paths, own] = [STATUSES.map(() => new Path2D()), new Path2D()]
    const radius = Math.max(1, hall.usualRadius * this.#scale * 0.9)
    for (let seat = 0; seat < hall.size; seat++) {
      const [x, y] = this.#place(seat)
      const path = paths[this.#feed.statuses[seat]]
      addSign(path, STATUSES[this.#feed.statuses[seat]], x, y, radius)
      if (this.chosen.has(seat)) own.rect(x - radius - 1, y - radius - 1, 2 * radius + 2, 2 * radius + 2)
    }
    STATUSES.forEach((status, index) => {
      context.fillStyle = context.strokeStyle = this.colors[status]
      context.lineWidth = Math.max(1, radius * 0.35)
      context[status === 'held' ? 'stroke' : 'fill'](paths[index])
    })
    context.strokeStyle = this.colors.chosen
    context.lineWidth = 1.5
    context.stroke(own)
    if (this.#lasso?.length > 1) {
      context.setLineDash([4, 4])
      context.beginPath()
      for (const [x, y] of this.#lasso) context.lineTo(x, y)
      context.stroke()
      context.setLineDash([])
    }
  }

  #place(seat) {
    return [this.#left + this.#hall.x[seat] * this.#scale, this.#top + this.#hall.y[seat] * this.#scale]
  }

  #begin(event) {
    if (!this.#hall) return
    this.canvas.setPointerCapture(event.pointerId)
    this.#lasso = [[event.offsetX, event.offsetY]]
  }

  #drag(event) {
    if (!this.#lasso) return
    this.#lasso.push([event.offsetX, event.offsetY])
    this.#draw()
  }

  #end(event) {
    const lasso = this.#lasso
    this.#lasso = null
    if (!lasso) return
    const far = lasso.some(([x, y]) => Math.hypot(x - lasso[0][0], y - lasso[0][1]) > CLICKED_PX)
    if (far) return this.#choose(this.#within(lasso), event.shiftKey)
    const seat = this.#nearest(event.offsetX, event.offsetY)
    if (seat === null) return this.#choose([])
    if (event.shiftKey && this.chosen.has(seat)) {
      this.chosen.delete(seat)
      return this.#choose(this.chosen)
    }
    this.#choose([seat], event.shiftKey)
    if (!event.shiftKey) this.onSeat(this.#feed.ids[seat])
  }

  #within(lasso) {
    const path = new Path2D()
    for (const [x, y] of lasso) path.lineTo(x, y)
    path.closePath()
    const context = this.canvas.getContext('2d')
    context.setTransform(1, 0, 0, 1, 0, 0)
    return Array.from({ length: this.#hall.size }, (_, seat) => seat).filter((seat) =>
      context.isPointInPath(path, ...this.#place(seat)),
    )
  }

  #nearest(x, y) {
    let [best, least] = [null, Math.max(8, this.#hall.usualRadius * this.#scale * 1.5)]
    for (let seat = 0; seat < this.#hall.size; seat++) {
      const [left, top] = this.#place(seat)
      const distance = Math.hypot(left - x, top - y)
      if (distance < least) [best, least] = [seat, distance]
    }
    return best
  }
}

/** A state has a shape as well as a colour: free a disc, held a ring, blocked a square, sold a dot. */
function addSign(path, status, x, y, radius) {
  if (status === 'reserved') return path.rect(x - radius * 0.8, y - radius * 0.8, radius * 1.6, radius * 1.6)
  const size = { available: radius, held: radius * 0.8, sold: radius / 2 }[status]
  path.moveTo(x + size, y)
  path.arc(x, y, size, 0, 2 * Math.PI)
}
