/** The hall with the operator's eyes: every seat by its state, chosen with a lasso, by section or one by one. */

import { byId, element, show } from '../elements.js'
import { Hall } from '../map/hall.js'
import { SeatingFeed, STATUSES } from '../seating-feed.js'
import { Drawing } from './drawing.js'
import { Lasso } from './lasso.js'

const NOT_LIVE = 'This map is not live.'
const REACH_PX = 8
const NEAR = 0.8 // CSS pixels a plan unit.

export class OperatorsHall {
  /** As it was when it was shown. */
  event = null
  chosen = new Set()
  #feed = null
  #hall = null
  #drawing = new Drawing(byId('hall'))
  #lasso = null
  #frame = 0

  /** `on` has `choice()`, `counts()` for news about the chosen seats, and `seat(id)` for one that is clicked. */
  constructor(session, on) {
    Object.assign(this, { session, on })
    const { canvas, view } = this.#drawing
    this.#lasso = new Lasso(canvas, view, {
      draw: () => this.#draw(),
      around: (line, isMore) => this.#choose(this.#within(line), isMore),
      click: (x, y, isMore) => this.#click(x, y, isMore),
    })
    new ResizeObserver(([{ contentRect: { width, height } }]) => {
      this.#drawing.resize(width, height)
      this.#draw()
    }).observe(canvas.parentElement)
    const zooms = { 'zoom-in': () => view.zoomBy(1.6), 'zoom-out': () => view.zoomBy(1 / 1.6), 'zoom-all': () => view.fit() }
    for (const [id, act] of Object.entries(zooms)) {
      byId(id).addEventListener('click', () => {
        if (this.#hall) act()
        this.#draw()
      })
    }
  }

  show(event) {
    this.#feed?.stop()
    this.#feed = this.#hall = null
    this.event = event
    this.chosen = new Set()
    byId('seats-box').hidden = !event.seated
    byId('sections').replaceChildren()
    this.#drawing.canvas.hidden = true // Nothing can be done to a hall that is not there.
    this.on.choice()
    if (!event.seated) return
    const feed = (this.#feed = new SeatingFeed({ event: event.id, headers: this.session.headers }))
    feed.addEventListener('plan', () => {
      this.#hall = new Hall(feed.plan)
      this.#drawing.setHall(this.#hall)
      this.#drawing.canvas.hidden = false
      this.#showSections()
      this.#changed()
    })
    for (const name of ['snapshot', 'seats']) feed.addEventListener(name, () => this.#changed())
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
    if (seat === undefined) return
    this.#choose([seat])
    this.#drawing.view.show(this.#hall.boundsOf([seat]), 0, Math.max(this.#drawing.view.scale, NEAR))
  }

  clear() {
    this.#choose([])
  }

  #showSections() {
    const buttons = this.#hall.sections.map(({ title, seats }) =>
      element('button', { type: 'button', onclick: ({ shiftKey }) => this.#choose(seats, shiftKey) }, title),
    )
    byId('sections').replaceChildren(element('span', { class: 'quiet' }, 'Section:'), ...buttons)
  }

  #choose(seats, isMore = false) {
    this.chosen = new Set(isMore ? [...this.chosen, ...seats] : seats)
    this.on.choice()
    this.#changed()
  }

  #changed() {
    this.#drawing.changed()
    this.#draw()
    if (this.chosen.size) this.on.counts()
  }

  #draw() {
    this.#frame ||= requestAnimationFrame(() => {
      this.#frame = 0
      if (this.#hall) this.#drawing.paint(this.#feed.statuses, this.chosen, this.#lasso.line)
    })
  }

  #click(x, y, isMore) {
    const reach = Math.max(REACH_PX / this.#drawing.view.scale, this.#hall.usualRadius * 1.5)
    const seat = this.#hall.nearest(x, y, reach)
    if (seat < 0) return this.#choose([])
    if (isMore && this.chosen.has(seat)) return this.#choose([...this.chosen].filter((each) => each !== seat))
    this.#choose([seat], isMore)
    if (!isMore) this.on.seat(this.#feed.ids[seat])
  }

  #within(line) {
    const path = new Path2D()
    for (const [x, y] of line) path.lineTo(x, y)
    path.closePath()
    const context = document.createElement('canvas').getContext('2d')
    const { x, y, size } = this.#hall
    return Array.from({ length: size }, (_, seat) => seat).filter((seat) => context.isPointInPath(path, x[seat], y[seat]))
  }
}
