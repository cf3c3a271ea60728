/**
 * What an operator's hand does on the hall: a line around seats, a click on one; with Alt, the middle button or two
 * fingers the hall moves, with a pinch, Ctrl and the wheel, or + and - it grows.
 */

const CLICKED_PX = 5
const WHEEL = 0.004
const STEP_PX = 60

export class Lasso {
  /** The line under way, in plan units: it stays around its seats if the page or the hall moves. */
  line = null
  #pointers = new Map()
  #isMoving = false
  #strayed = 0

  /** `on` has `draw()`, `around(line, isMore)` and `click(x, y, isMore)`, all in plan units. */
  constructor(canvas, view, on) {
    Object.assign(this, { canvas, view, on })
    canvas.addEventListener('pointerdown', (event) => this.#down(event))
    canvas.addEventListener('pointermove', (event) => this.#move(event))
    canvas.addEventListener('pointerup', (event) => this.#up(event))
    canvas.addEventListener('pointercancel', (event) => this.#forget(event))
    canvas.addEventListener('wheel', (event) => this.#wheel(event), { passive: false })
    canvas.addEventListener('keydown', (event) => this.#key(event))
  }

  #down(event) {
    if (event.button > 1) return
    if (event.button === 1) event.preventDefault()
    this.canvas.setPointerCapture(event.pointerId)
    const at = this.#placeOf(event)
    this.#pointers.set(event.pointerId, at)
    this.#isMoving = event.altKey || event.button === 1 || this.#pointers.size > 1
    this.#strayed = 0
    this.line = this.#isMoving ? null : [this.view.toPlan(...at)]
    this.on.draw()
  }

  #move(event) {
    const was = this.#pointers.get(event.pointerId)
    if (!was) return
    const at = this.#placeOf(event)
    const before = this.#spread()
    this.#pointers.set(event.pointerId, at)
    if (this.#isMoving) {
      const after = this.#spread()
      this.view.panBy(after.x - before.x, after.y - before.y)
      if (before.distance) this.view.zoomBy(after.distance / before.distance, after.x, after.y)
    } else if (this.line) {
      this.#strayed += Math.hypot(at[0] - was[0], at[1] - was[1])
      this.line.push(this.view.toPlan(...at))
    }
    this.on.draw()
  }

  /** On the canvas as it lies now: an event's own offset is from before the page was scrolled on account of it. */
  #placeOf({ clientX, clientY }) {
    const { left, top } = this.canvas.getBoundingClientRect()
    return [clientX - left, clientY - top]
  }

  #spread() {
    const [one, two = one] = [...this.#pointers.values()]
    const distance = Math.hypot(one[0] - two[0], one[1] - two[1])
    return { x: (one[0] + two[0]) / 2, y: (one[1] + two[1]) / 2, distance }
  }

  #up(event) {
    const { line } = this
    this.#forget(event)
    if (!line) return
    if (this.#strayed > CLICKED_PX) this.on.around(line, event.shiftKey)
    else this.on.click(...line[0], event.shiftKey)
  }

  #forget({ pointerId }) {
    this.#pointers.delete(pointerId)
    this.line = null
    this.on.draw()
  }

  #wheel(event) {
    if (!event.ctrlKey && !event.metaKey) return // The page scrolls.
    event.preventDefault()
    this.view.zoomBy(Math.exp(-event.deltaY * WHEEL), ...this.#placeOf(event))
    this.on.draw()
  }

  #key(event) {
    const acts = {
      '+': () => this.view.zoomBy(1.5),
      '-': () => this.view.zoomBy(1 / 1.5),
      0: () => this.view.fit(),
      ArrowLeft: () => this.view.panBy(STEP_PX, 0),
      ArrowRight: () => this.view.panBy(-STEP_PX, 0),
      ArrowUp: () => this.view.panBy(0, STEP_PX),
      ArrowDown: () => this.view.panBy(0, -STEP_PX),
    }
    const act = !event.ctrlKey && !event.metaKey && acts[event.key]
    if (!act) return
    event.preventDefault()
    act()
    this.on.draw()
  }
}
