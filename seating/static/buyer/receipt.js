/** The receipt: what was bought, its id, and how safe it is. */

import { byId, element } from '../elements.js'
import { calendarFile } from './calendar.js'
import { followState } from './purchase.js'
import { language, moment, money, words } from './words.js'

/** Show the receipt of a purchase, and follow it until it is recorded. `onAnother` begins a new choice. */
export function showReceipt(event, { answer, at, seats }, onAnother) {
  const box = byId('receipt')
  box.hidden = false
  if (box.dataset.purchase === answer.purchaseId) return
  box.dataset.purchase = answer.purchaseId
  const state = element('p', { class: 'state', role: 'status' })
  const copy = element(
    'button',
    { class: 'plain', type: 'button', onclick: () => copyId(answer.purchaseId, copy) },
    words.copy,
  )
  const lines = linesOf(answer, seats)
  const items = lines.map(({ name, price }) =>
    element(
      'li',
      {},
      element('span', { class: 'name' }, name),
      element('span', { class: 'number' }, money(price, answer.currency)),
    ),
  )
  const sum = element('dd', { class: 'number' })
  box.replaceChildren(
    element('h2', { tabindex: '-1' }, words.receipt),
    state,
    element('ul', { class: 'seats' }, ...items),
    element(
      'dl',
      {},
      ...(answer.currency
        ? [element('dt', {}, words.total), sum]
        : []),
      element('dt', {}, words.bought),
      element('dd', {}, moment(at)),
      element('dt', {}, words.receiptId),
      element('dd', { class: 'id' }, element('code', {}, answer.purchaseId), copy),
    ),
    element(
      'div',
      { class: 'acts' },
      element('button', { type: 'button', onclick: () => print() }, words.print),
      event.startsAt &&
        element('button', { type: 'button', onclick: () => saveCalendar(event, answer, lines) }, words.calendar),
      element('button', { class: 'plain', type: 'button', onclick: onAnother }, words.another),
    ),
  )
  box.lang = language
  const tell = ({ state: name, cancelledSeats = [], cancelledQuantity = 0, cancelledTotal = 0 }) => {
    state.dataset.state = name
    state.replaceChildren(element('strong', {}, words.states[name] ?? name), element('span', {}, words[name] ?? ''))
    items.forEach((item, index) => {
      // Of places without seats the first go.
      const isCancelled = answer.seats.length ? cancelledSeats.includes(answer.seats[index]) : index < cancelledQuantity
      item.classList.toggle('cancelled', isCancelled)
    })
    if (answer.currency) sum.textContent = money(answer.total - cancelledTotal, answer.currency)
  }
  tell({ state: 'accepted' })
  followState(answer.purchaseId, tell)
  box.firstChild.focus({ preventScroll: true })
}

function linesOf(answer, seats) {
  if (answer.seats.length) {
    return answer.seats.map((id, index) => {
      const seat = seats.find((one) => one.id === id)
      return { name: seat ? words.seat(seat) : id, price: answer.prices?.[index] }
    })
  }
  const categories = answer.categories ?? Array(answer.quantity).fill('')
  return categories.map((name, index) => ({
    name: [words.things(1, false), name].filter(Boolean).join(' · '),
    price: answer.prices?.[index],
  }))
}

async function copyId(text, button) {
  try {
    await navigator.clipboard.writeText(text)
  } catch {
    // Not allowed, or no secure context: select it, so that one keystroke copies it.
    getSelection().selectAllChildren(button.previousSibling)
    return
  }
  button.textContent = words.copied
  setTimeout(() => {
    button.textContent = words.copy
  }, 2000)
}

function saveCalendar(event, answer, lines) {
  const text = calendarFile(event, answer.purchaseId, [
    ...lines.map(({ name }) => name),
    `${words.receiptId}: ${answer.purchaseId}`,
  ])
  const url = URL.createObjectURL(new Blob([text], { type: 'text/calendar' }))
  element('a', { href: url, download: `${event.id}.ics` }).click()
  setTimeout(() => URL.revokeObjectURL(url), 10_000)
}
