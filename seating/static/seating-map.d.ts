/** `<seating-map>`: attributes `event`, `server`, `max`, `lang`, `theme`, `buying`. docs/seating-map.md has examples. */

import type { Category, EventDetails, SeatingFeed } from './seating-feed.js'

export interface ChosenSeat {
  id: string
  section: string
  row: string
  number: string
  category: string
  /** In minor units of the event's currency. */
  price: number | null
  accessible: boolean
}

export interface Hold {
  holdToken: string
  /** RFC 3339. */
  expiresAt: string
  /** What is left of it now. */
  expiresInMs: number
  seats: ChosenSeat[]
}

export interface HoldRequest {
  action: 'take' | 'change' | 'best' | 'extend' | 'release'
  /** Of the hold that there is, null for the first. `best` replaces it: release it. */
  holdToken: string | null
  /** For `best`. */
  quantity?: number
  /** For `best`. */
  category?: string
}

/**
 * The shop's own way to hold seats: `seats` are all that the hold is to have, none for `best` and `release`. `seats` in
 * the answer may be left out where they are those asked for, `expiresInMs` where clocks can be trusted.
 */
export type HoldFunction = (seats: string[], request: HoldRequest) => Promise<{
  holdToken?: string
  token?: string
  expiresAt: string
  expiresInMs?: number
  seats?: string[]
} | void>

export interface SeatingMapEvents {
  /** The map is drawn for the first time. */
  ready: CustomEvent<{ event: EventDetails }>
  selectionchange: CustomEvent<{ seats: ChosenSeat[], total: number, currency: string | null, categories: Category[] }>
  holdchange: CustomEvent<{ hold: Hold | null }>
  /** The hold has ended; these seats are on sale again, unless another tab bought it. */
  holdexpired: CustomEvent<{ seats: ChosenSeat[] }>
  /** Others took these seats; they are no longer chosen. */
  soldelsewhere: CustomEvent<{ seats: ChosenSeat[] }>
  live: CustomEvent<{}>
  catchingup: CustomEvent<{}>
  offline: CustomEvent<{}>
  /** A refusal, with the API's code, or `MAX_SEATS`, `SEAT_UNAVAILABLE`, `UNAVAILABLE`. */
  error: CustomEvent<{ code: string, message: string, seats?: string[] }>
}

export class SeatingMap extends HTMLElement {
  readonly selection: ChosenSeat[]
  readonly held: Hold | null
  /** Null before `ready`. */
  readonly eventDetails: EventDetails | null
  readonly feed: SeatingFeed | null
  hold: HoldFunction | null
  /** Choose seats as far as they can be had; return whether all could. None can before they are known. */
  select(ids: Iterable<string>): boolean
  deselect(ids: Iterable<string>): void
  clear(): void
  /** Hold the best seats, next to each other if possible, in place of what is held. Null where that is refused. */
  best(quantity: number, category?: string): Promise<Hold | null>
  /** Hold what is chosen, or change the hold to it. */
  holdSelection(): Promise<Hold | null>
  extend(): Promise<Hold | null>
  /** Give the hold back and choose nothing. */
  release(): Promise<null>
  /** Go on with a hold that was taken before, as after a reload. */
  resume(holdToken: string): Promise<Hold | null>
  /** Forget hold and selection without giving them back: after a purchase. */
  forget(): void
  /** Move the keyboard to a seat. */
  focusSeat(id: string): void
  /** Show a section by its name, or seats by their ids. */
  zoomTo(target: string | Iterable<string>): void
  /** Get all seats anew. */
  refresh(): void
  addEventListener<K extends keyof SeatingMapEvents>(
    type: K, listener: (event: SeatingMapEvents[K]) => void, options?: boolean | AddEventListenerOptions,
  ): void
  addEventListener(type: string, listener: EventListenerOrEventListenerObject | null): void
}

declare global {
  interface HTMLElementTagNameMap {
    'seating-map': SeatingMap
  }
}
