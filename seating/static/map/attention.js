/** Notices when a connection may be dead although it looks alive: silence, sleep, a lost network. */

const SILENCE_MS = 15_000
const TOUCHED_MS = 2_000 // Who is about to choose is not shown what is long over.
const CHECK_MS = 5_000
const SLEPT_MS = 3 * CHECK_MS

/** `on` has `doubt` for silence, `wake` for silence while nobody could look, `offline` and `online`. */
export class Attention {
  #timer = 0
  #tickedAt = 0
  #heardAt = 0
  #listeners

  constructor(on) {
    this.on = on
    this.#listeners = [
      [globalThis, 'offline', on.offline], [globalThis, 'online', on.online],
      [globalThis.document, 'pointerdown', () => this.#silenceMs() > TOUCHED_MS && this.#ask()],
      [globalThis.document, 'visibilitychange', () => !document.hidden && this.#silenceMs() > SILENCE_MS && this.#wake()],
    ]
  }

  start() {
    this.heard()
    this.#tickedAt = performance.now()
    this.#timer = setInterval(() => this.#tick(), CHECK_MS)
    for (const [target, type, act] of this.#listeners) target?.addEventListener?.(type, act)
  }

  stop() {
    clearInterval(this.#timer)
    for (const [target, type, act] of this.#listeners) target?.removeEventListener?.(type, act)
  }

  heard() { this.#heardAt = performance.now() }

  #silenceMs() { return performance.now() - this.#heardAt }

  #wake() {
    this.heard()
    this.on.wake()
  }

  #ask() {
    this.heard()
    this.on.doubt()
  }

  #tick() {
    const sleptMs = performance.now() - this.#tickedAt
    this.#tickedAt = performance.now()
    if (globalThis.document?.hidden) return
    if (sleptMs > SLEPT_MS) this.#wake()
    else if (this.#silenceMs() > SILENCE_MS + Math.random() * CHECK_MS) this.#ask()
  }
}
