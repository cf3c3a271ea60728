/** The seats of one event and their changes, for any front end: see seating-feed.d.ts. */

import { Attention } from './map/attention.js'

export const STATUSES = ['available', 'held', 'reserved', 'sold']

const ANSWER_MS = 5_000
const LOAD_MS = 30_000
const SETTLE_MS = 250 // A refused feed opens before it closes.
const CROWDED_MS = 5_000
const MOST_WAIT_MS = 30_000
const [RESTART, BUSY, MALFORMED, CROWDED] = [1001, 1013, 4400, 4429]
const HOPELESS = [4403, 4404, 4409]

const seqOf = (position) => Number(position.split('-')[1])

export class SeatingFeed extends EventTarget {
  event = null
  plan = null
  ids = []
  statuses = new Uint8Array(0)
  seatsRemaining = null
  position = null
  connection = 'catchingup'

  #headers
  #indices = new Map()
  #since = null
  #socket = null
  #attempt = 0
  #failures = 0
  #timer = 0
  #attention = new Attention({
    doubt: () => this.#doubt(), wake: () => this.#doubt(false), offline: () => this.#drop('offline'), online: () => this.#reconnect(),
  })
  #target = null
  #clockMs = 0
  #running = false

  constructor({ server = new URL(import.meta.url).origin, event, headers = {} }) {
    super()
    this.#headers = headers
    this.api = `${server}/api/v1/events/${encodeURIComponent(event)}`
  }

  start() {
    if (this.#running) return
    this.#running = true
    this.#attention.start()
    this.#reconnect()
  }

  stop() {
    this.#running = false
    this.#drop('catchingup')
    this.#attention.stop()
  }

  refresh() {
    this.#since = null
    this.#reconnect()
  }

  indexOf(id) { return this.#indices.get(id) }

  now() { return Date.now() + this.#clockMs }

  async get(path = '', timeoutMs = LOAD_MS) {
    const response = await fetch(this.api + path, { headers: this.#headers, signal: AbortSignal.timeout(timeoutMs) })
    if (path !== '/plan') this.#setClock(response) // A plan comes from the browser's cache.
    const body = await response.json()
    if (!response.ok) throw Object.assign(new Error(body.message), { status: response.status, code: body.code })
    return body
  }

  async #connect() {
    const attempt = ++this.#attempt
    try {
      const isFresh = !this.#since || !this.plan
      if (isFresh) await this.#load(attempt)
      if (attempt === this.#attempt) this.#open(attempt, isFresh)
    } catch ({ status, code, message }) {
      if (attempt !== this.#attempt) return
      if ([404, 409].includes(status)) this.#refuse(4000 + status, code, message)
      else this.#later(0, status)
    }
  }

  async #load(attempt) {
    // That of an earlier attempt is older than what is known.
    const get = async (path) => {
      const answer = await this.get(path)
      if (attempt !== this.#attempt) throw new Error('too late')
      return answer
    }
    this.event ??= await get()
    const [plan, map] = await Promise.all([this.plan ?? (this.event.seated ? get('/plan') : null), get('/seats')])
    if (plan && !this.plan) this.#takePlan(plan)
    this.#emit('snapshot', { changed: this.#takeSnapshot(map) })
    // After the snapshot: a newer state does no harm, an older one would.
    this.event = await get()
    this.#emit('event')
    if (this.event.state === 'unavailable') throw { status: 503 } // No message ends it.
    this.#since = map.since
  }

  #takePlan(plan) {
    this.plan = plan
    this.ids = plan.blocks.flatMap((block) => block.rows.flatMap((row) => row.seats))
    this.ids.forEach((id, index) => this.#indices.set(id, index))
    this.statuses = new Uint8Array(this.ids.length)
    this.#emit('plan')
  }

  #takeSnapshot(map) {
    const codes = {}
    for (const letter in map.statuses) codes[letter.charCodeAt(0)] = STATUSES.indexOf(map.statuses[letter])
    const changed = []
    this.statuses.forEach((was, index) => {
      const code = codes[map.seats.charCodeAt(index)] ?? 2
      if (was !== code) changed.push(index)
      this.statuses[index] = code
    })
    this.position = map.position
    this.seatsRemaining = map.seatsRemaining
    return changed
  }

  #open(attempt, isFresh) {
    const socket = this.#socket = new WebSocket(`${this.api.replace(/^http/, 'ws')}/live?since=${this.#since}`)
    this.#target = isFresh ? seqOf(this.position) : null
    const isCurrent = () => attempt === this.#attempt
    setTimeout(() => isCurrent() && socket.readyState === 0 && this.#later(), LOAD_MS)
    socket.addEventListener('open', () => {
      this.#attention.heard()
      if (isFresh) setTimeout(() => isCurrent() && this.#judge(), SETTLE_MS)
      else this.#confirm()
    })
    socket.addEventListener('message', ({ data }) => isCurrent() && this.#apply(JSON.parse(data)))
    socket.addEventListener('close', ({ code, reason }) => isCurrent() && this.#closed(code, reason))
  }

  #apply(message) {
    this.#attention.heard()
    if (message.type === 'SNAPSHOT_NEEDED' && this.plan) {
      this.#since = null
      return this.#later(0, true)
    }
    this.#since = message.since
    this.position = message.position
    if (message.type === 'SEATS') this.#change(message.groups ?? [message])
    if (message.type === 'STATE' || message.type === 'OPENING') {
      const { state, isOpen, opensAt, closesAt } = { ...this.event, ...message }
      const now = new Date(this.now()).toISOString()
      const selling = state === 'on_sale' && (isOpen ?? !(opensAt > now || closesAt <= now))
      this.event = { ...this.event, state, isOpen, opensAt, closesAt, selling }
      this.#emit('event')
    }
    if (message.type === 'AVAILABILITY') {
      this.seatsRemaining = message.seatsRemaining
      this.#emit('event')
    }
    if (this.connection !== 'live') this.#judge()
  }

  #change(groups) {
    const changed = []
    for (const { status, seats } of groups) {
      const code = STATUSES.indexOf(status)
      for (const id of seats) {
        const index = this.#indices.get(id)
        if (index === undefined || this.statuses[index] === code) continue
        this.seatsRemaining += (code === 0) - (this.statuses[index] === 0)
        this.statuses[index] = code
        changed.push(index)
      }
    }
    if (changed.length) this.#emit('seats', { changed })
  }

  #closed(code, reason) {
    const [word, sentence] = reason.split(': ')
    if (HOPELESS.includes(code)) return this.#refuse(code, word, sentence)
    if (code === MALFORMED) this.#since = null
    if (code === RESTART) this.#failures = 0
    this.#later(code === CROWDED ? CROWDED_MS : 0, [BUSY, CROWDED].includes(code))
  }

  /** Ask for the server's position: once it is reached, the feed is live. */
  async #confirm() {
    const attempt = this.#attempt
    try {
      const response = await fetch(`${this.api}/seats`, {
        method: 'HEAD', headers: this.#headers, cache: 'no-store', signal: AbortSignal.timeout(ANSWER_MS),
      })
      if (attempt !== this.#attempt) return
      if (!response.ok) return this.#later(0, true)
      this.#setClock(response)
      this.#target = seqOf(response.headers.get('Position'))
      this.#judge()
      if (seqOf(this.position) >= this.#target) return
      setTimeout(() => attempt === this.#attempt && seqOf(this.position) < this.#target && this.#reconnect(), ANSWER_MS)
    } catch {
      if (attempt === this.#attempt) this.#later()
    }
  }

  #judge() {
    if (this.#target === null || seqOf(this.position) < this.#target || this.#socket?.readyState !== 1) return
    this.#failures = 0
    this.#attention.heard()
    this.#setConnection('live')
  }

  #doubt(isLive = true) {
    if (!isLive && this.connection === 'live') this.#setConnection('catchingup')
    if (this.#socket?.readyState === 1) this.#confirm()
  }

  #reconnect() {
    if (!this.#running) return
    this.#drop('catchingup')
    this.#failures = 0
    this.#connect()
  }

  /** Offline is where nothing answers: a server that refuses a feed may sell. */
  #later(leastMs = 0, isAnswered) {
    this.#drop(this.#failures && !isAnswered ? 'offline' : 'catchingup')
    const spreadMs = Math.min(MOST_WAIT_MS, 1000 * 2 ** this.#failures++)
    if (this.#running) this.#timer = setTimeout(() => this.#connect(), leastMs + Math.random() * spreadMs)
  }

  #drop(connection) {
    this.#attempt++
    clearTimeout(this.#timer)
    this.#socket?.close()
    this.#socket = null
    this.#setConnection(connection)
  }

  #refuse(closeCode, code, message) {
    this.stop()
    this.#setConnection('offline')
    this.#emit('refused', { closeCode, code, message })
  }

  #setConnection(connection) {
    if (connection === this.connection) return
    this.connection = connection
    this.#emit('connection', { connection })
  }

  #setClock(response) {
    const date = Date.parse(response.headers.get('Date'))
    if (date) this.#clockMs = date + 500 - Date.now()
  }

  #emit(type, detail) { this.dispatchEvent(new CustomEvent(type, { detail })) }
}
