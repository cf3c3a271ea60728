/** What an operator does to seats and to a sale; each button names its effect. */

import { byId, element } from '../elements.js'
import { confirm } from './confirm.js'

const MOST_AT_ONCE = 10_000

const seats = (number) => (number === 1 ? '1 seat' : `${number.toLocaleString('en')} seats`)

/** Show the bar of acts for the chosen seats. `act` does one: a status and a reason. */
export function showSeatActs(hall, act) {
  const bar = byId('acts')
  const number = hall.chosen.size
  bar.hidden = !number
  if (bar.hidden) return
  const button = (status, effect) =>
    element(
      'button',
      { type: 'button', title: effect, disabled: number > MOST_AT_ONCE, onclick: () => act(status, effect) },
      effect.split('.')[0],
    )
  bar.replaceChildren(
    element('p', { id: 'chosen-seats', class: 'number' }, toldOf(hall)),
    element(
      'div',
      { class: 'row' },
      button('reserved', `Block ${seats(number)}. Buyers see them go at once.`),
      button('available', `Release ${seats(number)}. Buyers see them at once.`),
      button('sold', `Sell ${seats(number)} at the box office. Buyers see them go at once.`),
      element('button', { class: 'plain', type: 'button', onclick: () => hall.clear() }, 'Choose none'),
    ),
  )
}

/** Say anew what the chosen seats are; the buttons stay, so that none is lost under a finger. */
export function showChosen(hall) {
  byId('chosen-seats').textContent = toldOf(hall)
}

function toldOf({ chosen, counts }) {
  const told = Object.entries(counts)
    .filter(([, some]) => some)
    .map(([status, some]) => `${some.toLocaleString('en')} ${status}`)
  const most = chosen.size > MOST_AT_ONCE ? ` At most ${MOST_AT_ONCE.toLocaleString('en')} at once.` : ''
  return `${seats(chosen.size)} chosen: ${told.join(', ')}.${most}`
}

/** Ask, then set the seats. Returns a sentence of what has happened; throws the refusal. */
export async function setSeats(session, event, ids, status, effect) {
  const answer = await confirm({
    title: effect,
    text: 'If a buyer owns or holds one of them, nothing is changed.',
    act: effect.split('.')[0],
  })
  if (!answer) return null
  const body = { status, seats: ids, ...(answer.why && { note: answer.why }) }
  const { changed } = await session.ask('PATCH', `/api/v1/events/${event}/seats`, body)
  return `${seats(changed)} changed.`
}

/** Show what can be done to the sale of an event. `act` changes its state. */
export function showState(event, act) {
  const typed = event.name
  const pause = () =>
    act('paused', {
      title: `Pause ${event.name}`,
      text: 'New purchases are refused at once. Holds go on, and buyers see that the sale is paused. You can resume it.',
      act: 'Pause',
      typed,
    })
  const resume = () =>
    act('on_sale', {
      title: event.state === 'draft' ? `Put ${event.name} on sale` : `Resume ${event.name}`,
      text: 'Everybody can buy at once.',
      act: event.state === 'draft' ? 'Put on sale' : 'Resume',
    })
  const close = () =>
    act('closed', {
      title: `Close ${event.name} for good`,
      text: `${event.state === 'draft' ? 'Everybody will see it. ' : ''}It can never be sold again. A day later its inventory is removed, and idempotency keys with it. This cannot be undone.`,
      act: 'Close',
      typed,
      danger: true,
    })
  const button = (label, run, danger = false) =>
    element('button', { type: 'button', class: danger ? 'danger' : null, onclick: run }, label)
  const key = `${event.id} ${event.state}`
  const box = byId('state')
  if (box.dataset.key === key) return
  box.dataset.key = key
  box.replaceChildren(
    ...(event.state === 'closed'
      ? [element('p', { class: 'quiet' }, 'It is closed for good.')]
      : [
          event.state === 'on_sale'
            ? button('Pause', pause)
            : button(event.state === 'draft' ? 'Put on sale' : 'Resume', resume),
          button('Close for good', close, true),
        ]),
  )
}
