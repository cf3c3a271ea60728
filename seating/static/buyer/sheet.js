/** The panel of a phone: a sheet at the bottom with three heights. */

const HEIGHTS = ['peek', 'half', 'full']
const DRAGGED_PX = 24

export class Sheet {
  #from = null
  #wasDragged = false

  constructor(panel, grip) {
    this.panel = panel
    this.grip = grip
    grip.addEventListener('click', () => {
      if (!this.#wasDragged) this.#step(this.height === 'peek' ? 1 : -1)
    })
    grip.addEventListener('keydown', (event) => {
      this.#wasDragged = false
      if (event.key === 'ArrowUp' || event.key === 'ArrowDown') this.#step(event.key === 'ArrowUp' ? 1 : -1)
    })
    grip.addEventListener('pointerdown', (event) => {
      this.#from = event.clientY
      this.#wasDragged = false
      grip.setPointerCapture(event.pointerId)
    })
    grip.addEventListener('pointerup', (event) => this.#released(event))
    grip.addEventListener('pointercancel', () => {
      this.#from = null
    })
  }

  get height() {
    return this.panel.dataset.height
  }

  set height(height) {
    this.panel.dataset.height = height
    this.grip.setAttribute('aria-expanded', String(height !== 'peek'))
  }

  #step(by) {
    const index = HEIGHTS.indexOf(this.height) + by
    this.height = HEIGHTS[Math.min(HEIGHTS.length - 1, Math.max(0, index))]
  }

  #released(event) {
    const up = this.#from - event.clientY
    this.#from = null
    this.#wasDragged = Math.abs(up) >= DRAGGED_PX
    if (this.#wasDragged) this.#step(Math.sign(up))
  }
}
