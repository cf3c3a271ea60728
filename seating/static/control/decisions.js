/** What waits for a person: quarantine, forks, losses, stopped sales; and what each button does and cannot undo. */

import { byId, element } from '../elements.js'
import { confirm } from './confirm.js'
import { count } from './numbers.js'

const LONGEST_LIST = 20
/** What waits, and what its buttons do. What SQL refused has its seats; of another history or a loss it has none. */
const REFUSED_PURCHASE = {
  is: 'SQL refused it; its seats stay sold. Replaying records it once the cause is mended; dismissing cancels the purchase and returns its seats.',
  replay: 'The entry is recorded after all. If that fails, it stays here.',
  dismiss: 'A purchase is cancelled and its seats return. This cannot be undone.',
}
const PURCHASE_WITHOUT_SEATS = {
  is: 'It has no seats now: they may have new owners. Replaying sells it again unchanged if they are free; dismissing only marks it as cancelled.',
  replay: 'Its seats are sold to it again if they are free. If that fails, it stays here.',
  dismiss: 'It is marked as cancelled; it has no seats that could return. This cannot be undone.',
}
const REFUSED_CHANGE = {
  is: 'SQL refused it, and it is no purchase. Replaying records it once the cause is mended; dismissing only takes it off this list.',
  replay: REFUSED_PURCHASE.replay,
  dismiss: 'It is taken off this list, and nothing else changes. This cannot be undone.',
}
const CHANGE_OF_ANOTHER_HISTORY = {
  is: 'It is no purchase, so it cannot be replayed: look whether it has to be done anew. Dismissing only takes it off this list.',
  dismiss: REFUSED_CHANGE.dismiss,
}

export class Decisions {
  #shown = ''

  constructor(session, say) {
    Object.assign(this, { session, say })
  }

  /** `figures` are null while the metrics do not answer; `event` is the one that the operator looks at. */
  async load(figures, event) {
    const [{ entries, next }, { losses }] = await Promise.all([
      this.session.get(`/api/v1/quarantine?limit=${LONGEST_LIST}`),
      this.session.get(`/api/v1/losses?limit=${LONGEST_LIST}`),
    ])
    const { stopped = null, untrusted = null, lag: entriesLate = null } = figures ?? {}
    const lag = entriesLate > 1000 && Number(entriesLate.toPrecision(2))
    const shown = JSON.stringify([entries, losses, stopped, untrusted, event?.id, lag])
    if (shown === this.#shown) return
    this.#shown = shown
    const items = [
      ...(stopped === null
        ? [item('Whether sales are recorded is not known', 'The metrics do not answer, or do not say it. See /ready.')]
        : []),
      ...(stopped ? [this.#stopped(stopped, event)] : []),
      ...(untrusted
        ? [
            item(
              `${untrusted} inventories do not sell yet`,
              'They are compared with SQL, which takes moments. If this stays, see docs/recovery.md.',
            ),
          ]
        : []),
      ...(lag
        ? [
            item(
              `About ${count(lag)} entries are not in SQL yet`,
              'They are safe in Redis. Nothing has to be done unless this keeps growing: then look at the worker and the database.',
            ),
          ]
        : []),
      ...losses.map((loss) => this.#loss(loss)),
      ...entries.map((entry) => this.#entry(entry)),
    ]
    const total = entries.length + losses.length + (stopped ? 1 : 0)
    byId('decisions-title').dataset.count = total ? `${total}${next ? '+' : ''}` : ''
    byId('decisions').replaceChildren(
      ...(items.length ? items : [element('p', { class: 'quiet' }, 'Nothing. Sales, records and stores agree.')]),
    )
  }

  #stopped(number, event) {
    const act = (prefer) =>
      this.#decide(
        {
          title: `Merge ${event.name}, keeping ${prefer === 'redis' ? 'Redis' : 'SQL'} where both sold a seat`,
          text: 'Both histories become one and the sale is recorded again. A purchase whose seat the other history keeps goes to quarantine. This cannot be undone.',
          act: 'Merge',
          typed: event.name,
          danger: true,
        },
        (why) => this.session.ask('POST', `/api/v1/events/${event.id}/merge`, { prefer, ...(why && { why }) }),
      )
    return item(
      `${number} sale${number === 1 ? ' is' : 's are'} not recorded: SQL lost what it had acknowledged`,
      event
        ? 'Seats are still sold from Redis. Choose the event above, and merge both histories when SQL is as complete as it will get; no purchase is dropped.'
        : 'Choose the event above, then decide here.',
      ...(event
        ? [
            [`Merge ${event.name}, prefer Redis`, () => act('redis')],
            [`Merge ${event.name}, prefer SQL`, () => act('sql')],
          ]
        : []),
    )
  }

  #loss(loss) {
    return item(
      `${count(loss.changes)} confirmed change${loss.changes === 1 ? '' : 's'} of ${loss.eventId} lost`,
      `Positions ${loss.first} to ${loss.last} were confirmed to buyers and are recorded nowhere. Settling only notes that somebody took care of the buyers; it brings nothing back, and it cannot be taken back.`,
      [
        'Settle',
        () =>
          this.#decide(
            {
              title: `Settle the loss ${loss.id}`,
              text: 'Do this after the buyers were told or refunded. Its entries in quarantine are settled with it.',
              act: 'Settle',
              needsWhy: true,
              danger: true,
            },
            (why) => this.session.ask('POST', `/api/v1/losses/${loss.id}/settle`, { why }),
          ),
      ],
    )
  }

  #entry({ eventId, position, reason, error, change }) {
    const path = `/api/v1/quarantine/${eventId}/${position}`
    const says = textsOf(reason === 'poison', change.includes('"kind":"purchased"'))
    const act = (method, suffix, title, text) =>
      this.#decide({ title, text, act: title, danger: method === 'DELETE' }, (why) =>
        this.session.ask(method, `${path}${suffix}${why ? `?why=${encodeURIComponent(why)}` : ''}`),
      )
    return item(
      `${reason}: ${eventId} at ${position}`,
      `${error}. ${says.is}`,
      ...(says.replay ? [['Replay', () => act('POST', '/replay', 'Replay', says.replay)]] : []),
      ['Dismiss', () => act('DELETE', '', 'Dismiss', says.dismiss)],
    )
  }

  async #decide(question, act) {
    const answer = await confirm(question)
    if (!answer) return
    try {
      await act(answer.why)
      this.say('Done.')
    } catch (error) {
      this.say(error.message, true)
    }
    this.#shown = ''
  }
}

function textsOf(isRefused, isPurchase) {
  if (isPurchase) return isRefused ? REFUSED_PURCHASE : PURCHASE_WITHOUT_SEATS
  return isRefused ? REFUSED_CHANGE : CHANGE_OF_ANOTHER_HISTORY
}

function item(title, text, ...acts) {
  return element(
    'article',
    { class: 'decision' },
    element('h3', {}, title),
    element('p', {}, text),
    element(
      'div',
      { class: 'row' },
      ...acts.map(([label, act]) => element('button', { type: 'button', onclick: act }, label)),
    ),
  )
}
