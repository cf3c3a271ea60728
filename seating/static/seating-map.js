/** `<seating-map event="…">`: a live seat map for any page: see seating-map.d.ts. */

import { MapCanvas } from './map/canvas.js'
import { Choice } from './map/choice.js'
import { Hall } from './map/hall.js'
import { build, Card, fillLegend, STYLE } from './map/frame.js'
import { Tree } from './map/tree.js'
import { Offer, Words } from './map/words.js'
import { SeatingFeed } from './seating-feed.js'

const TREE_MS = 1_500
const sheet = new CSSStyleSheet()
sheet.replaceSync(STYLE)

export class SeatingMap extends HTMLElement {
  static observedAttributes = ['event', 'server', 'lang', 'theme', 'max']

  hold = this.hold ?? null // A page may have set it before this class was there.

  #parts = {}
  #feed = null
  #isOn = false
  #hall = null
  #canvas = null
  #choice = null
  #offer = null
  #tree = null
  #card = null
  #words = null
  #areas = null
  #telling = 0
  #dark = matchMedia('(prefers-color-scheme: dark)')

  constructor() {
    super()
    this.attachShadow({ mode: 'open' }).adoptedStyleSheets = [sheet]
  }

  connectedCallback() {
    this.#isOn = true
    this.#start()
  }

  disconnectedCallback() {
    this.#isOn = false
    this.#stop()
  }

  attributeChangedCallback(name, was, is) {
    if (!this.#isOn || was === is) return
    if (name === 'theme') this.#restyle()
    else if (name !== 'max') {
      this.#stop()
      this.#start()
    }
  }

  get selection() { return this.#choice?.selection ?? [] }

  get held() { return this.#choice?.held ?? null }

  get eventDetails() { return this.#feed?.event ?? null }

  get feed() { return this.#feed }

  select(ids) { return Boolean(this.#hall) && this.#choice.add([...ids].map((id) => this.#feed.indexOf(id))) }

  deselect(ids) { this.#choice?.remove(this.#indices(ids)) }

  clear() { this.deselect(this.selection.map(({ id }) => id)) }

  async best(quantity, category) { return this.#choice?.best(quantity, category) ?? null }

  async holdSelection() { return this.#choice?.holdSelection() ?? null }

  async extend() { return this.#choice?.extend() ?? null }

  async release() { return this.#choice?.release() ?? null }

  async resume(holdToken) { return this.#choice?.resume(holdToken) ?? null }

  forget() { this.#choice?.forget() }

  focusSeat(id) { for (const seat of this.#indices([id])) this.#tree?.goTo(seat, true) }

  zoomTo(target) {
    if (!this.#hall) return
    const seats = typeof target === 'string'
      ? this.#hall.sections.filter(({ name, title }) => [name, title].includes(target)).flatMap((each) => each.seats)
      : this.#indices(target)
    if (seats.length) this.#canvas.zoomTo(this.#hall.boundsOf(seats))
  }

  refresh() { this.#feed?.refresh() }

  #indices(ids) { return [...ids].map((id) => this.#feed?.indexOf(id)).filter((seat) => seat !== undefined) }

  #start() {
    const event = this.getAttribute('event')
    if (!event) return
    this.#words = new Words(this.closest('[lang]')?.lang || navigator.language || 'en')
    this.#parts = build(this.shadowRoot, this.#words, (name, button) => this.#act(name, button))
    const server = this.getAttribute('server')
    const feed = this.#feed = new SeatingFeed({ event, ...(server && { server: new URL(server, location.href).origin }) })
    this.#choice = new Choice(feed, this.#words, this, {
      event: (type, detail) => this.#emit(type, detail),
      say: (text) => { this.#parts.say.textContent = text },
      drawn: () => this.#drawChoice(),
    })
    feed.addEventListener('snapshot', ({ detail }) => this.#took(detail.changed))
    feed.addEventListener('seats', ({ detail }) => this.#changed(detail.changed))
    feed.addEventListener('event', () => this.#eventChanged())
    feed.addEventListener('connection', ({ detail }) => this.#connection(detail.connection))
    feed.addEventListener('refused', ({ detail: { code, message } }) => {
      this.#choice.begin()
      this.#parts.state.textContent = this.#words.failed
      this.#emit('error', { code, message })
    })
    this.#dark.addEventListener('change', this.#restyle)
    feed.start()
  }

  #stop() {
    this.#feed?.stop()
    this.#choice?.close()
    this.#canvas?.close()
    this.#dark.removeEventListener('change', this.#restyle)
    this.#areas?.close()
    this.shadowRoot.replaceChildren()
    this.#feed = this.#hall = this.#canvas = this.#choice = this.#tree = this.#card = this.#areas = null
    this.removeAttribute('connection')
  }

  #act(name, button) {
    if (name === 'zoomIn') this.#canvas.zoomBy(1.6)
    if (name === 'zoomOut') this.#canvas.zoomBy(1 / 1.6)
    if (name === 'fit') this.#canvas.fit()
    if (name !== 'tree') return
    const isShown = this.#parts.tree.classList.toggle('shown')
    button.setAttribute('aria-pressed', isShown)
    if (isShown) this.#parts.tree.querySelector('[tabindex="0"]').focus()
  }

  #drawChoice() {
    if (!this.#canvas) return
    this.#canvas.marked.own = [...this.#choice.own]
    this.#canvas.draw()
    this.#tree.render()
  }

  #took(changed) {
    if (!this.#feed.plan) this.#showAreas()
    else if (this.#canvas) this.#changed(changed)
    else this.#showHall()
    this.#choice.begin()
    this.#connection(this.#feed.connection)
  }

  #showHall() {
    const feed = this.#feed
    this.#hall = new Hall(feed.plan)
    this.#offer = this.#choice.offer = new Offer(this.#hall, feed.event, this.#words)
    this.#canvas = new MapCanvas(this, this.#parts, this.#hall, () => feed.statuses, this.#offer, {
      seat: (seat) => this.#tapped(seat),
      hover: (seat) => this.#card?.show(seat),
      first: () => this.#emit('ready', { event: feed.event }),
    })
    this.#tree = new Tree(this.#parts.tree, this.#canvas, this.#choice, { focus: (item) => this.#focused(item) })
    this.#card = new Card(this.#parts.card, this.#canvas, this.#choice, this.#offer)
    for (const name of ['tree', 'tools', 'legend']) this.#parts[name].hidden = false
    fillLegend(this.#parts.legend, this.#canvas.painter, this.#offer)
  }

  async #showAreas() {
    const feed = this.#feed
    const { Areas } = await import('./places.js')
    if (feed !== this.#feed) return
    if (!this.#areas) this.#emit('ready', { event: feed.event })
    this.#areas ??= new Areas(this.#parts.areas, feed, this.#words)
    this.#areas.show()
  }

  #changed(changed) {
    this.#canvas.changed(changed)
    this.#choice.lose()
    this.#telling ||= setTimeout(() => {
      this.#telling = 0
      this.#tree?.render()
    }, TREE_MS)
  }

  #eventChanged() {
    this.#areas?.changed()
    if (!this.#canvas) return
    const told = () => this.#offer.currency + JSON.stringify(this.selection)
    const before = told()
    this.#offer.setEvent(this.#feed.event)
    fillLegend(this.#parts.legend, this.#canvas.painter, this.#offer)
    this.#canvas.overlay.clear()
    this.#canvas.draw()
    if (told() !== before) this.#choice.report()
  }

  #connection(connection) {
    this.setAttribute('connection', connection)
    this.#parts.state.dataset.connection = connection
    this.#parts.state.textContent = this.#words[connection]
    this.#emit(connection, {})
  }

  #tapped(seat) {
    if (seat >= 0) {
      this.#choice.toggle(seat)
      this.#tree.goTo(seat, false)
    }
    this.#card?.show(seat)
  }

  #focused(item) {
    const { marked } = this.#canvas
    marked.seat = item?.seat ?? -1
    marked.part = item && item.seat === undefined ? this.#hall.boundsOf(item.row?.seats ?? item.section.seats) : null
    this.#card?.show(marked.seat)
    if (marked.seat >= 0) this.#canvas.reveal(marked.seat)
    else if (item?.row) this.#canvas.view.isWhole || this.#canvas.zoomTo(item.section.bounds)
    this.#canvas.draw()
  }

  #restyle = () => {
    if (!this.#canvas) return
    this.#canvas.restyle()
    fillLegend(this.#parts.legend, this.#canvas.painter, this.#offer)
  }

  #emit(type, detail) { this.dispatchEvent(new CustomEvent(type, { detail, bubbles: true, composed: true })) }
}

customElements.define('seating-map', SeatingMap)
