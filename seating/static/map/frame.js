/** What frames the map: its style and buttons, the legend, and the card of a seat. */

import { drawChosen } from './overlay.js'
import { FREE, HELD } from './painter.js'

const DARK = `
  --seating-paper: #141416; --seating-ink: #efeee9; --seating-accent: #9aa6ff; --seating-area: #222226;
  --seating-taken: #55555c; color-scheme: dark;`

export const STYLE = `
:host {
  --seating-paper: #fbfaf8; --seating-ink: #1b1a18; --seating-accent: #3b4fd8; --seating-area: #eeece7;
  --seating-taken: #bdbab4; --seating-font: system-ui, sans-serif; --seating-radius: 10px;
  color-scheme: light; display: flex; flex-direction: column; min-block-size: 320px; block-size: 560px;
  color: var(--seating-ink); background: var(--seating-paper); font: 400 1rem/1.5 var(--seating-font);
  border-radius: var(--seating-radius); overflow: hidden; font-variant-numeric: tabular-nums; position: relative; container: frame / inline-size;
  --hairline: color-mix(in oklch, currentColor 12%, transparent);
  --quiet: color-mix(in oklch, currentColor 62%, transparent);
}
:host([hidden]) { display: none }
:host([theme="dark"]) { ${DARK} }
@media (prefers-color-scheme: dark) { :host(:not([theme="light"])) { ${DARK} } }
.map { position: relative; flex: 1; min-block-size: 0; overflow: hidden }
.seats { position: absolute; inset: 0; inline-size: 100%; block-size: 100%; cursor: grab;
  touch-action: pan-y; transition: filter 300ms ease-out }
.seats.near { touch-action: none }
.seats.seat { cursor: pointer }
.seats:active { cursor: grabbing }
:host([connection="offline"]) .seats, :host([connection="offline"]) .mini { filter: grayscale(.3) opacity(.7) }
.bar { position: absolute; inset: 12px 12px auto; display: flex; justify-content: space-between; align-items: start;
  gap: 12px; pointer-events: none }
.tools { display: grid; gap: 8px; pointer-events: auto }
button { inline-size: 40px; block-size: 40px; padding: 0; display: grid; place-items: center; cursor: pointer;
  color: inherit; background: var(--seating-paper); border: 1px solid var(--hairline); border-radius: 10px }
button:hover { border-color: currentColor }
button[aria-pressed="true"] { background: var(--seating-ink); color: var(--seating-paper) }
:focus-visible { outline: 3px solid var(--seating-accent); outline-offset: -3px }
svg { inline-size: 20px; block-size: 20px; fill: none; stroke: currentColor; stroke-width: 2; stroke-linecap: round;
  stroke-linejoin: round }
.mini { position: absolute; inset-block-end: 12px; inset-inline-end: 12px; background: var(--seating-paper);
  border: 1px solid var(--hairline); border-radius: 10px; cursor: pointer; touch-action: none }
.state { margin: 0; padding: 4px 12px; display: flex; gap: 8px; align-items: center; font-size: .875rem;
  line-height: 1.3; background: var(--seating-paper); border: 1px solid var(--hairline); border-radius: 999px }
.state::before { content: ""; flex: none; inline-size: 8px; block-size: 8px; border-radius: 50%;
  border: 2px solid currentColor; box-sizing: border-box }
.state[data-connection="live"]::before { background: currentColor }
.state[data-connection="live"] { color: var(--quiet) }
.stage { position: absolute; padding: 2px 12px; font-size: .875rem; font-weight: 600; background: var(--seating-ink);
  color: var(--seating-paper); border-radius: 999px; pointer-events: none; inset: 0 auto auto 0; white-space: nowrap }
.card { position: absolute; inset: 0 auto auto 0; padding: 8px 12px; font-size: .875rem; line-height: 1.4;
  background: var(--seating-paper); border: 1px solid var(--hairline); border-radius: 10px; pointer-events: none;
  box-shadow: 0 4px 16px rgb(0 0 0 / .16); max-inline-size: min(260px, 80%) }
.card b { display: block; font-weight: 600 }
[hidden] { display: none !important }
.tree, .say { position: absolute; inline-size: 1px; block-size: 1px; overflow: hidden; clip-path: inset(50%) }
.tree.shown { inset-block: 60px 0; inset-inline-start: 0; inline-size: min(340px, 100% - 64px); block-size: auto;
  overflow: auto; clip-path: none; padding: 8px; box-sizing: border-box; background: var(--seating-paper);
  border-inline-end: 1px solid var(--hairline); border-block-start: 1px solid var(--hairline) }
[role="treeitem"] { min-block-size: 32px; display: flex; align-items: center; padding: 4px 12px; border-radius: 8px;
  box-sizing: border-box; cursor: pointer; scroll-margin: 8px }
[role="treeitem"][aria-level="2"] { padding-inline-start: 28px }
[role="treeitem"][aria-level="3"] { padding-inline-start: 44px }
[role="treeitem"][aria-expanded]::before { content: "›"; inline-size: 16px; font-weight: 600; flex: none }
[role="treeitem"][aria-expanded="true"]::before { content: "⌄" }
[role="treeitem"][aria-selected="true"]::before { content: "✓"; inline-size: 16px; font-weight: 600; flex: none }
[role="treeitem"][aria-selected="true"] { font-weight: 600 }
[role="treeitem"][aria-disabled="true"] { color: var(--quiet) }
[role="treeitem"]:hover { background: color-mix(in oklch, currentColor 6%, transparent) }
.legend { flex: none; list-style: none; margin: 0; padding: 12px; display: flex; flex-wrap: wrap; gap: 4px 16px;
  font-size: .875rem; border-block-start: 1px solid var(--hairline); max-block-size: 30%; overflow: auto }
@container frame (inline-size < 720px) { .bar { position: static; order: -1; padding: 6px 12px; align-items: center; min-block-size: 2.9rem }
  .tools { grid-auto-flow: column } .areas { padding-block-start: 16px } .tree.shown { inset-block-start: 0 } .legend { flex-wrap: nowrap; white-space: nowrap;
  padding-inline-end: 32px; mask-image: linear-gradient(to right, #000 calc(100% - 32px), transparent) } }
.legend li, .areas li { display: inline-flex; gap: 8px; align-items: center }
.legend canvas { inline-size: 18px; block-size: 18px; flex: none }
.legend .off { color: var(--quiet) }
.areas { flex: 1; overflow: auto; list-style: none; margin: 0; padding: 60px 16px 16px; display: grid; gap: 12px;
  align-content: start }
.areas li { justify-content: space-between; padding: 16px; border: 1px solid var(--hairline); border-radius: 10px }
.areas b { font-weight: 600 } .areas span { color: var(--quiet) }
@media (prefers-reduced-motion: reduce) { .seats { transition: none } }
`

const ICONS = {
  zoomIn: 'M12 5v14M5 12h14', zoomOut: 'M5 12h14', fit: 'M4 9V4h5M15 4h5v5M20 15v5h-5M9 20H4v-5',
  tree: 'M4 6h.01M4 12h.01M4 18h.01M9 6h11M9 12h11M9 18h11',
}

/** Fill the component; return its elements by name. `act` gets a button's name and the button. */
export function build(root, words, act) {
  const button = (name) => `<button type="button" data-act="${name}"><svg viewBox="0 0 24 24" aria-hidden="true">`
    + `<path d="${ICONS[name]}"/></svg></button>`
  root.innerHTML = `
    <div class="map" role="region">
      <canvas class="seats" aria-hidden="true"></canvas>
      <div class="stage" aria-hidden="true" hidden></div>
      <div class="tree" role="tree" aria-multiselectable="true" hidden></div>
      <ul class="areas" hidden></ul>
      <canvas class="mini" aria-hidden="true" hidden></canvas>
      <div class="card" aria-hidden="true" hidden></div>
    </div>
    <div class="bar"><p class="state" role="status"></p>
      <div class="tools" hidden>${Object.keys(ICONS).map(button).join('')}</div></div>
    <ul class="legend" part="legend" tabindex="0" hidden></ul>
    <div class="say" role="status"></div>`
  const parts = Object.fromEntries([...root.querySelectorAll('[class]')].map((part) => [part.className, part]))
  for (const name of ['map', 'tree', 'legend']) parts[name].setAttribute('aria-label', words[name])
  parts.state.textContent = words.loading
  for (const each of parts.tools.children) {
    each.title = words[each.dataset.act]
    each.addEventListener('click', () => act(each.dataset.act, each))
  }
  return parts
}

const SIZE = 18
const TAKEN = 3

/** Fill the legend: categories with prices, then the signs of states. */
export function fillLegend(list, painter, offer) {
  const { words } = offer
  const used = new Set(painter.hall.category)
  const [first = 0] = used
  const isPlain = used.size === 1 && offer.price(first) === null
  const categories = [...used].sort((a, b) => a - b).map((category) => {
    const { name, onSale } = offer.categories[category]
    const price = words.amount(offer.price(category), offer.currency)
    const text = isPlain ? words.available : [name, price].filter(Boolean).join(' · ')
    return entry(painter, text, onSale === false ? 'off' : '', (context) => (
      painter.drawSign(context, SIZE / 2, SIZE / 2, 8, category, FREE, 1)
    ))
  })
  const signs = [
    entry(painter, words.yours, '', (context) => drawChosen(context, SIZE / 2, SIZE / 2, 7, painter.theme)),
    entry(painter, words.held, '', (context) => painter.drawSign(context, SIZE / 2, SIZE / 2, 8, first, HELD, 1)),
    entry(painter, words.taken, '', (context) => painter.drawSign(context, SIZE / 2, SIZE / 2, 8, first, TAKEN, 1)),
  ]
  list.replaceChildren(...categories, ...signs)
}

function entry(painter, text, name, draw) {
  const item = document.createElement('li')
  const { density } = painter
  const canvas = Object.assign(document.createElement('canvas'), { width: SIZE * density, height: SIZE * density })
  const context = canvas.getContext('2d')
  context.scale(density, density)
  draw(context)
  item.className = name
  item.append(canvas, text)
  return item
}

const GAP = 12 // CSS pixels to the seat.
const EDGE = 8

export class Card {
  constructor(element, canvas, choice, offer) { Object.assign(this, { element, canvas, choice, offer }) }

  /** Show what a seat is and costs; -1 hides the card. */
  show(seat) {
    this.element.hidden = seat < 0
    if (seat < 0) return
    const { words } = this.offer
    const { category, accessible } = this.offer.details(seat)
    const status = this.canvas.statuses()[seat]
    const state = this.choice.own.has(seat) ? words.yours : status === FREE ? '' : status === HELD ? words.held : words.taken
    const about = [category, this.offer.shownPrice(seat), accessible && words.accessible, state].filter(Boolean)
    const title = Object.assign(document.createElement('b'), { textContent: this.offer.describe(seat) })
    this.element.replaceChildren(title, about.join(' · '))
    this.#place(seat)
  }

  #place(seat) {
    const { view, hall } = this.canvas
    const [left, top] = this.canvas.placeOf(seat)
    const { offsetWidth, offsetHeight } = this.element
    const gap = hall.radius[seat] * view.scale + GAP
    const isBelow = top - gap - offsetHeight < EDGE
    const x = Math.min(view.width - offsetWidth - EDGE, Math.max(EDGE, left - offsetWidth / 2))
    const y = Math.min(view.height - offsetHeight - EDGE, isBelow ? top + gap : top - gap - offsetHeight)
    this.element.style.transform = `translate(${x}px, ${y}px)`
  }
}
