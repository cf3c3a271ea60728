/** What the buyer's page says, in every language it speaks; and how it writes amounts and times. */

import { money as amount } from '../money.js'

const seats = (count) => (count === 1 ? '1 seat' : `${count} seats`)
const tickets = (count) => (count === 1 ? '1 ticket' : `${count} tickets`)
const plätze = (count) => (count === 1 ? '1 Platz' : `${count} Plätze`)

const EN = {
  grip: 'Show more or less',
  things: (count, seated) => (seated ? seats(count) : tickets(count)),
  finder: (seated) => (seated ? 'Best seats together' : 'How many tickets?'),
  fewer: 'Fewer',
  more: 'More',
  category: 'Category',
  anyCategory: (seated) => (seated ? 'Best available' : 'Any'),
  find: (count) => `Hold the best ${count === 1 ? 'seat' : count}`,
  categoryLeft: (count) => (count === 0 ? 'sold out' : `${count} left`),
  offSale: 'not on sale',
  free: 'no charge',
  chosen: 'Your choice',
  yours: 'Held for you',
  seat: ({ section, row, number }) =>
    [section, row && `row ${row}`, number && `seat ${number}`].filter(Boolean).join(', '),
  remove: (seat) => `Remove ${seat}`,
  accessible: 'accessible',
  nothing: 'Choose seats on the map',
  from: (price) => `from ${price}`,
  hold: (count, seated) => `Hold ${seated ? seats(count) : tickets(count)}`,
  change: (count) => `Change to ${seats(count)}`,
  buy: (amount) => (amount ? `Buy for ${amount}` : 'Buy now'),
  working: 'One moment …',
  buying: 'Buying …',
  again: 'No answer yet. Asking again; you will not buy twice.',
  heldFor: (time) => `Yours for ${time}`,
  extend: 'Keep longer',
  extended: 'Your hold was extended',
  longest: 'This hold cannot be extended further',
  release: 'Give back',
  expired: 'Your hold has ended and the seats are on sale again.',
  taken: (names) => `${names} ${names.includes(';') ? 'were' : 'was'} just taken by somebody else.`,
  others: (count) => (count === 1 ? 'Hold the best one instead' : `Hold the best ${count} instead`),
  left: (count, total) => `${count} of ${total} left`,
  soldOut: 'Sold out',
  soldOutText: 'Held seats may still come back. They appear here the moment they do.',
  paused: 'The sale is paused',
  pausedText: 'It goes on here by itself. Seats you hold stay yours until their time is up.',
  closed: 'The sale is closed',
  missing: 'There is no such event',
  missingText: 'Check the address, or ask whoever sent it to you.',
  unavailable: 'Seats are not available right now',
  unavailableText: 'This page tries again by itself.',
  opens: (when) => `The sale opens ${when}.`,
  opensBySelf: 'This page opens by itself. You can choose seats already.',
  opensIn: (time) => `Opens in ${time}`,
  days: (count) => (count === 1 ? '1 day' : `${count} days`),
  offline: 'You are offline. The map may be out of date.',
  offlineButton: 'Waiting for the connection',
  receipt: 'Your purchase',
  receiptId: 'Purchase',
  copy: 'Copy',
  copied: 'Copied',
  bought: 'Bought',
  total: 'Total',
  accepted: 'Yours, and safe on disk',
  persisted: 'Yours, and in the books',
  quarantined: 'A person decides whether it stands',
  cancelled: 'Cancelled by the organiser',
  states: { accepted: 'Accepted', persisted: 'Recorded', quarantined: 'Under review', cancelled: 'Cancelled' },
  print: 'Print',
  calendar: 'Add to calendar',
  another: 'Buy more',
  errors: {
    SEAT_UNAVAILABLE: 'Somebody was faster. Those seats are no longer free.',
    SOLD_OUT: 'There are not that many left.',
    NOT_TOGETHER: 'There are not that many seats together.',
    TOO_MANY_HELD: 'Too many seats are held from your connection. Give some back first.',
    RATE_LIMITED: 'Many people are asking right now. Try again in a moment.',
    HOLD_EXPIRED: 'Your hold has ended and the seats are on sale again.',
    changed: 'Your hold has changed: its seats or their price. Nothing was bought; check both.',
    NOT_ON_SALE: 'These seats are not on sale right now.',
    UNAUTHORIZED: 'Seats of this event are sold through the organiser’s own shop.',
    VALIDATION_ERROR: 'This cannot be bought as asked.',
    busy: 'The server is busy. Your choice is kept; try again.',
    other: 'That did not work. Nothing was bought. Try again.',
  },
}

const DE = {
  grip: 'Mehr oder weniger zeigen',
  things: (count, seated) => (seated ? plätze(count) : `${count} ${count === 1 ? 'Karte' : 'Karten'}`),
  finder: (seated) => (seated ? 'Beste Plätze nebeneinander' : 'Wie viele Karten?'),
  fewer: 'Weniger',
  more: 'Mehr',
  category: 'Kategorie',
  anyCategory: (seated) => (seated ? 'Beste verfügbare' : 'Egal welche'),
  find: (count) => (count === 1 ? 'Besten Platz reservieren' : `Die besten ${count} reservieren`),
  categoryLeft: (count) => (count === 0 ? 'ausverkauft' : `noch ${count}`),
  offSale: 'nicht im Verkauf',
  free: 'kostenlos',
  chosen: 'Ihre Auswahl',
  yours: 'Für Sie reserviert',
  seat: ({ section, row, number }) =>
    [section, row && `Reihe ${row}`, number && `Platz ${number}`].filter(Boolean).join(', '),
  remove: (seat) => `${seat} entfernen`,
  accessible: 'barrierefrei',
  nothing: 'Plätze auf dem Plan wählen',
  from: (price) => `ab ${price}`,
  hold: (count, seated) => `${DE.things(count, seated)} reservieren`,
  change: (count) => `Auf ${plätze(count)} ändern`,
  buy: (amount) => (amount ? `Für ${amount} kaufen` : 'Jetzt kaufen'),
  working: 'Einen Moment …',
  buying: 'Wird gekauft …',
  again: 'Noch keine Antwort. Wir fragen erneut; Sie kaufen nicht doppelt.',
  heldFor: (time) => `Noch ${time} für Sie`,
  extend: 'Länger reservieren',
  extended: 'Ihre Plätze sind jetzt länger reserviert',
  longest: 'Länger kann nicht reserviert werden',
  release: 'Zurückgeben',
  expired: 'Die Zeit ist um; die Plätze sind wieder im Verkauf.',
  taken: (names) => `${names} ${names.includes(';') ? 'wurden' : 'wurde'} gerade von jemand anderem genommen.`,
  others: (count) => (count === 1 ? 'Stattdessen den besten reservieren' : `Stattdessen die besten ${count} reservieren`),
  left: (count, total) => `Noch ${count} von ${total}`,
  soldOut: 'Ausverkauft',
  soldOutText: 'Reservierte Plätze können zurückkommen. Sie erscheinen dann sofort hier.',
  paused: 'Der Verkauf macht Pause',
  pausedText: 'Hier geht es von selbst weiter. Reservierte Plätze bleiben für Sie reserviert, bis ihre Zeit um ist.',
  closed: 'Der Verkauf ist beendet',
  missing: 'Diese Veranstaltung gibt es nicht',
  missingText: 'Prüfen Sie die Adresse, oder fragen Sie nach, von wem Sie sie haben.',
  unavailable: 'Plätze sind gerade nicht verfügbar',
  unavailableText: 'Diese Seite versucht es von selbst wieder.',
  opens: (when) => `Der Verkauf beginnt ${when}.`,
  opensBySelf: 'Diese Seite öffnet sich von selbst. Sie können schon Plätze wählen.',
  opensIn: (time) => `Beginnt in ${time}`,
  days: (count) => (count === 1 ? '1 Tag' : `${count} Tage`),
  offline: 'Sie sind offline. Der Plan kann veraltet sein.',
  offlineButton: 'Wartet auf die Verbindung',
  receipt: 'Ihr Kauf',
  receiptId: 'Kauf',
  copy: 'Kopieren',
  copied: 'Kopiert',
  bought: 'Gekauft',
  total: 'Summe',
  accepted: 'Gehört Ihnen, sicher gespeichert',
  persisted: 'Gehört Ihnen, fest verbucht',
  quarantined: 'Ein Mensch entscheidet, ob der Kauf gilt',
  cancelled: 'Vom Veranstalter storniert',
  states: { accepted: 'Angenommen', persisted: 'Verbucht', quarantined: 'In Prüfung', cancelled: 'Storniert' },
  print: 'Drucken',
  calendar: 'In den Kalender',
  another: 'Mehr kaufen',
  errors: {
    SEAT_UNAVAILABLE: 'Jemand war schneller. Diese Plätze sind nicht mehr frei.',
    SOLD_OUT: 'So viele gibt es nicht mehr.',
    NOT_TOGETHER: 'So viele Plätze nebeneinander gibt es nicht.',
    TOO_MANY_HELD: 'Über Ihren Anschluss sind zu viele Plätze reserviert. Geben Sie erst welche zurück.',
    RATE_LIMITED: 'Gerade fragen sehr viele. Versuchen Sie es gleich noch einmal.',
    HOLD_EXPIRED: 'Die Zeit ist um; die Plätze sind wieder im Verkauf.',
    changed: 'Ihre Reservierung hat sich geändert: Plätze oder Preis. Es wurde nichts gekauft; bitte prüfen Sie beides.',
    NOT_ON_SALE: 'Diese Plätze sind gerade nicht im Verkauf.',
    UNAUTHORIZED: 'Plätze dieser Veranstaltung verkauft der Veranstalter im eigenen Shop.',
    VALIDATION_ERROR: 'So kann das nicht gekauft werden.',
    busy: 'Der Server ist ausgelastet. Ihre Auswahl bleibt erhalten; versuchen Sie es noch einmal.',
    other: 'Das hat nicht geklappt. Es wurde nichts gekauft. Versuchen Sie es noch einmal.',
  },
}

const wanted = new URLSearchParams(location.search).get('lang') ?? navigator.language
export const language = wanted.toLowerCase().startsWith('de') ? 'de' : 'en'
/** The reader's own variety of the language, for dates and numbers. */
export const locale = navigator.language.startsWith(language) ? navigator.language : language
export const words = language === 'de' ? DE : EN

const BUSY = ['INVENTORY_UNAVAILABLE', 'BACKLOG_FULL', 'UNAVAILABLE', 'ROLLOUT_IN_PROGRESS']

/** Return the sentence for an error with a `code`. */
export function errorText({ code, message }) {
  if (code === 'MAX_SEATS') return message // The map has it in the reader's language.
  return words.errors[BUSY.includes(code) ? 'busy' : code] ?? words.errors.other
}

/** Return an amount in minor units as text; empty without a currency or an amount. */
export const money = (minor, currency) => amount(minor, currency, locale)

const DAY = { weekday: 'long', year: 'numeric', month: 'long', day: 'numeric' }
const TIME = { hour: '2-digit', minute: '2-digit', timeZoneName: 'short' }

/** Return a day and a time, with its zone, as text. */
export const moment = (text) => new Intl.DateTimeFormat(locale, { ...DAY, ...TIME }).format(new Date(text))

/** Return a duration as `m:ss`, `h:mm:ss`, or with days in words. */
export function clock(ms) {
  const whole = Math.max(0, Math.ceil(ms / 1000))
  const [days, hours, minutes, seconds] = [
    Math.floor(whole / 86_400),
    Math.floor(whole / 3600) % 24,
    Math.floor(whole / 60) % 60,
    whole % 60,
  ]
  const two = (number) => String(number).padStart(2, '0')
  if (days) return `${words.days(days)} ${hours}:${two(minutes)}:${two(seconds)}`
  return hours ? `${hours}:${two(minutes)}:${two(seconds)}` : `${minutes}:${two(seconds)}`
}
