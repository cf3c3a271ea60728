/** A feed of one event's seats: a snapshot, then every change, over reconnects. Times are ms. */

export type Status = 'available' | 'held' | 'reserved' | 'sold'
export type Connection = 'live' | 'catchingup' | 'offline'

/** In the order of the numbers in `SeatingFeed.statuses`. */
export const STATUSES: readonly Status[]

export interface Category {
  name: string
  /** In minor units of the event's currency. */
  price: number | null
  onSale: boolean
  onRequest: boolean
  accessible: boolean
  order: number
  totalSeats: number
  seatsRemaining: number | null
}

/** As `GET /api/v1/events/{id}` answers. */
export interface EventDetails {
  id: string
  name: string
  totalSeats: number
  seatsRemaining: number | null
  seated: boolean
  state: 'draft' | 'on_sale' | 'paused' | 'closed' | 'unavailable'
  selling: boolean
  /** Whether it is open by its times, as the feed says; missing before it has. */
  isOpen?: boolean
  opensAt: string | null
  closesAt: string | null
  maxPerPurchase?: number
  currency?: string
  categories?: Category[]
  [more: string]: unknown
}

/** As `GET /api/v1/events/{id}/plan` answers; docs/plans.md describes it. */
export interface Plan {
  totalSeats: number
  name: string
  blocks: { name: string, category: number, rows: { seats: string[], label: string, numbers: string[] }[] }[]
  [more: string]: unknown
}

export interface FeedEvents {
  /** The plan is there; once, and never in general admission. */
  plan: CustomEvent<null>
  /** All statuses are new; `changed` has the indices of the seats whose status is another. */
  snapshot: CustomEvent<{ changed: number[] }>
  /** Some statuses are new. */
  seats: CustomEvent<{ changed: number[] }>
  /** `event` or, in general admission, `seatsRemaining` is new. */
  event: CustomEvent<null>
  connection: CustomEvent<{ connection: Connection }>
  /** The server refused the feed for good; it has stopped. */
  refused: CustomEvent<{ closeCode: number, code: string, message: string }>
}

export class SeatingFeed extends EventTarget {
  /**
   * `server` is the origin of the API, by default the one of this module. `headers` go with each request, but not with
   * the live feed: a draft has a snapshot and is then refused.
   */
  constructor(options: { event: string, server?: string, headers?: Record<string, string> })
  /** Null until the first answer. */
  readonly event: EventDetails | null
  /** Null until it is there, and in general admission. */
  readonly plan: Plan | null
  /** The ids of all seats, in the plan's order. */
  readonly ids: string[]
  /** For each seat its index in STATUSES, in the plan's order. Changed in place. */
  readonly statuses: Uint8Array
  readonly seatsRemaining: number | null
  /** `<epoch>-<seq>` in the event's log. */
  readonly position: string | null
  /** `live` only while everything that the server knew is shown. */
  readonly connection: Connection
  /** The URL of the event's routes. */
  readonly api: string
  start(): void
  /** Stop for good or until `start`; it is not `live` then. */
  stop(): void
  /** Get all statuses anew. */
  refresh(): void
  /** The index of a seat; undefined if the plan has none of this id. */
  indexOf(id: string): number | undefined
  /** The server's time in ms since 1970, to about half a second. */
  now(): number
  /** Get a route below the event's as JSON. Rejects with `status` and `code` for an error. */
  get(path?: string, timeoutMs?: number): Promise<any>
  addEventListener<K extends keyof FeedEvents>(
    type: K, listener: (event: FeedEvents[K]) => void, options?: boolean | AddEventListenerOptions,
  ): void
  addEventListener(type: string, listener: EventListenerOrEventListenerObject | null): void
}
