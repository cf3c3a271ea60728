/** Keeps what an operator is at where it is, while lists above it grow and shrink. */

const AT_WORK_MS = 10_000

/** The sections of a page, one below the other. */
export class Place {
  #heights = new Map()
  #at = null
  #usedAt = -Infinity

  /** `page` is the element whose children are the sections. */
  constructor(page) {
    this.page = page
    const observer = new ResizeObserver((entries) => this.#resized(entries))
    for (const section of page.children) observer.observe(section)
    for (const type of ['pointermove', 'pointerdown', 'keydown', 'focusin']) {
      page.addEventListener(type, ({ target }) => this.#used(target), { passive: true })
    }
  }

  #used(target) {
    this.#at = this.#sectionOf(target)
    this.#usedAt = performance.now()
  }

  #sectionOf(target) {
    return [...this.page.children].find((section) => section.contains(target)) ?? null
  }

  /** The section in use or, on a page that was scrolled, the one in the middle of the window. */
  #current() {
    if (performance.now() - this.#usedAt < AT_WORK_MS) return this.#at
    return scrollY > 0 ? this.#sectionOf(document.elementFromPoint(innerWidth / 2, innerHeight / 2)) : null
  }

  /** Called after layout and before it is painted: nobody sees the sections jump. */
  #resized(entries) {
    const sections = [...this.page.children]
    const below = sections.indexOf(this.#current())
    let grown = 0
    for (const { target, borderBoxSize } of entries) {
      const height = borderBoxSize[0].blockSize
      if (sections.indexOf(target) < below) grown += height - (this.#heights.get(target) ?? height)
      this.#heights.set(target, height)
    }
    if (grown) scrollBy({ top: grown, behavior: 'instant' })
  }
}
