/** Keeps what an operator is at where it is, while lists above it grow and shrink. */

const AT_WORK_MS = 10_000

/** The sections of a page, one below the other. */
export class Place {
  #heights = new Map()
  #at = null
  #usedAt = -Infinity

  /** `header` and the children of `page` are the sections; what an operator is at is in `page`. */
  constructor(header, page) {
    this.sections = [header, ...page.children]
    const observer = new ResizeObserver(() => this.#settle())
    for (const section of this.sections) observer.observe(section)
    for (const type of ['pointermove', 'pointerdown', 'keydown', 'focusin']) {
      page.addEventListener(type, ({ target }) => this.#used(target), { capture: true, passive: true })
    }
  }

  /** An event may come before the frame of a list that has grown: whoever hears it next finds all in its place. */
  #used(target) {
    this.#settle()
    this.#at = this.#sectionOf(target)
    this.#usedAt = performance.now()
  }

  #sectionOf(target) {
    return this.sections.find((section) => section.contains(target)) ?? null
  }

  /** The section in use or, on a page that was scrolled, the one in the middle of the window. */
  #current() {
    if (performance.now() - this.#usedAt < AT_WORK_MS) return this.#at
    return scrollY > 0 ? this.#sectionOf(document.elementFromPoint(innerWidth / 2, innerHeight / 2)) : null
  }

  /** As an observer it is called after layout and before that is painted: nobody sees the sections jump. */
  #settle() {
    const below = this.sections.indexOf(this.#current())
    let grown = 0
    this.sections.forEach((section, index) => {
      const { height } = section.getBoundingClientRect()
      if (index < below) grown += height - (this.#heights.get(section) ?? height)
      this.#heights.set(section, height)
    })
    if (grown) scrollBy({ top: grown, behavior: 'instant' })
  }
}
