/** The panel beside the map: what can be done now, what is chosen, what it costs. Shows a state, decides nothing. */

import { byId, element, enable, isEnabled, show } from '../elements.js'
import { clock, language, locale, moment, money, words } from './words.js'

const SHORT_MS = 120_000

/** Set the texts that never change. */
export function label() {
  document.documentElement.lang = language
  byId('grip').setAttribute('aria-label', words.grip)
  byId('fewer').setAttribute('aria-label', words.fewer)
  byId('more').setAttribute('aria-label', words.more)
  byId('categories-title').textContent = words.category
  byId('extend').textContent = words.extend
  byId('release').textContent = words.release
}

/** Call one of `acts` for what the buyer does with a control that is not waiting. */
export function listen(acts) {
  const clicks = {
    main: acts.main,
    extend: acts.extend,
    release: acts.release,
    'notice-act': acts.notice,
    fewer: () => acts.step(-1),
    more: () => acts.step(1),
  }
  for (const [id, act] of Object.entries(clicks)) {
    byId(id).addEventListener('click', ({ currentTarget }) => isEnabled(currentTarget) && act())
  }
  byId('finder').addEventListener('submit', (event) => {
    event.preventDefault()
    if (isEnabled(byId('find'))) acts.find()
  })
  byId('categories').addEventListener('change', ({ target }) => acts.choose(target.value || null))
}

/** Show the event's name, place and date. */
export function showEvent(event) {
  document.title = event.name
  byId('name').textContent = event.name
  const where = [event.startsAt && moment(event.startsAt), event.venue].filter(Boolean)
  byId('when').textContent = where.join(' · ') || ' '
}

/** Show the state of the page; see `BuyersPage.state`. */
export function showState(state) {
  const { event, phase, held, busy } = state
  document.body.dataset.phase = phase
  const canChoose = ['choose', 'before', 'held'].includes(phase)
  show(byId('offline'), state.isOffline ? words.offline : '')
  byId('finder').hidden = phase !== 'choose'
  byId('opening').hidden = phase !== 'before'
  showNotice(state)
  if (!byId('finder').hidden) showFinder(state)
  showSeats(state, canChoose)
  showHold(state)
  showSum(state)
  showMain(state)
  const isCounted = event && state.left !== null && phase !== 'receipt'
  byId('left').textContent = isCounted
    ? words.left(state.left.toLocaleString(locale), event.totalSeats.toLocaleString(locale))
    : ' '
  for (const id of ['extend', 'release'])
    byId(id).setAttribute('aria-disabled', String(Boolean(busy) || state.isOffline))
}

/** The sentence that matters most, with one thing to do about it. */
function showNotice({ phase, notice, event, left }) {
  const told =
    notice ??
    {
      soldout: { title: words.soldOut, text: words.soldOutText },
      paused: { title: words.paused, text: words.pausedText },
      closed: { title: words.closed },
      missing: { title: words.missing, text: words.missingText },
      elsewhere: { text: words.errors.UNAUTHORIZED },
      unavailable: { title: words.unavailable, text: words.unavailableText },
    }[phase === 'held' && event.state === 'paused' ? 'paused' : phase]
  const box = byId('notice')
  box.hidden = !told
  if (!told) return
  const shown = [told.title, told.text].filter(Boolean)
  const lines = shown.map((text, number) => element(told.title && !number ? 'strong' : 'span', {}, text))
  byId('notice-text').setAttribute('aria-live', told.isSpoken ? 'off' : 'polite')
  const isNews = byId('notice-text').textContent !== shown.join('')
  if (isNews) byId('notice-text').replaceChildren(...lines)
  show(byId('notice-act'), told.act?.text)
  if (isNews) box.scrollIntoView({ block: 'nearest' })
  box.dataset.count = event && left !== null ? left : ''
}

function showFinder({ event, offered, quantity, category, categoriesLeft, busy, most, isOffline, isReady }) {
  byId('finder-title').textContent = words.finder(event.seated)
  byId('quantity').textContent = quantity
  byId('fewer').setAttribute('aria-disabled', String(quantity <= 1))
  byId('more').setAttribute('aria-disabled', String(quantity >= most))
  showCategories(event, offered, category, categoriesLeft)
  byId('find').hidden = !event.seated
  const text = isOffline ? words.offlineButton : busy === 'hold' || !isReady ? words.working : words.find(quantity)
  enable(byId('find'), text, !busy && !isOffline && isReady)
}

function showCategories(event, offered, chosen, categoriesLeft) {
  const group = byId('categories')
  group.hidden = offered.length < 2
  if (group.hidden) return
  const wanted = [null, ...offered]
  if (group.querySelectorAll('label').length !== wanted.length) {
    const radios = wanted.map((category) =>
      element(
        'label',
        {},
        element('input', { type: 'radio', name: 'category', value: category?.name ?? '' }),
        element('span', { class: 'name' }, category?.name ?? words.anyCategory(event.seated)),
        element('span', { class: 'price number' }),
        element('small', { class: 'number' }),
      ),
    )
    group.replaceChildren(byId('categories-title'), ...radios)
  }
  group.querySelectorAll('label').forEach((row, index) => {
    const category = wanted[index]
    const count = categoriesLeft?.get(category?.name) ?? category?.seatsRemaining
    const isGone = category && (!category.onSale || count === 0)
    const [input, , price, left] = row.children
    input.checked = (category?.name ?? null) === chosen
    input.disabled = Boolean(isGone)
    if (!category) return
    price.textContent = money(category.price, event.currency)
    left.textContent = !category.onSale
      ? words.offSale
      : count === null || count === undefined
        ? ''
        : words.categoryLeft(count)
  })
}

function showSeats({ event, selection, held, phase, onRemove, busy }, canChoose) {
  const box = byId('chosen')
  const isGeneral = event && !event.seated
  box.hidden = !canChoose || (isGeneral ? !held.isHeld : !selection.length)
  if (box.hidden) return
  byId('chosen-title').textContent = held.isHeld ? words.yours : words.chosen
  const rows = isGeneral ? generalRows(held, event) : selection.map((seat) => seatRow(seat, event, onRemove, busy))
  const key = JSON.stringify([rows.map((row) => row.textContent), busy, phase])
  if (box.dataset.key === key) return
  const focused = document.activeElement?.closest?.('#seats li')?.dataset.seat
  box.dataset.key = key
  byId('seats').replaceChildren(...rows)
  if (focused) (box.querySelector(`[data-seat="${CSS.escape(focused)}"] button`) ?? byId('main')).focus()
}

function generalRows(held, event) {
  const counts = new Map()
  const categories = held.categories ?? Array(held.quantity).fill('')
  categories.forEach((name, index) => {
    const known = counts.get(name) ?? { count: 0, total: 0 }
    counts.set(name, { count: known.count + 1, total: known.total + (held.prices?.[index] ?? 0) })
  })
  return [...counts].map(([name, { count, total }]) =>
    element(
      'li',
      {},
      element('span', {}, `${words.things(count, false)}${name && ` · ${name}`}`),
      element('span', { class: 'number' }, money(total, event.currency)),
    ),
  )
}

function seatRow(seat, event, onRemove, busy) {
  const name = words.seat(seat)
  return element(
    'li',
    { 'data-seat': seat.id },
    element(
      'span',
      {},
      name,
      element('small', {}, [event.categories && seat.category, seat.accessible && words.accessible].filter(Boolean).join(' · ')),
    ),
    element('span', { class: 'number' }, money(seat.price, event.currency)),
    element(
      'button',
      {
        class: 'plain',
        type: 'button',
        'aria-label': words.remove(name),
        'aria-disabled': busy ? 'true' : null,
        onclick: () => onRemove(seat),
      },
      '×',
    ),
  )
}

function showHold({ held, phase }) {
  const box = byId('hold')
  const { leftMs } = held
  box.hidden = !held.isHeld || phase === 'receipt'
  if (box.hidden) return
  const text = words.heldFor(clock(leftMs))
  if (byId('hold-text').textContent !== text) byId('hold-text').textContent = text
  box.classList.toggle('short', leftMs <= SHORT_MS)
}

function showSum({ event, offered, held, selection, total, phase }) {
  const count = event && !event.seated ? held.quantity : selection.length
  const isEmpty = !count || phase === 'receipt'
  const prices = offered.filter(({ onSale }) => onSale).map(({ price }) => price ?? 0)
  const isOffered = ['choose', 'before'].includes(phase) && event.currency && prices.length
  const hint = isOffered ? words.from(money(Math.min(...prices), event.currency)) : ''
  byId('summary').textContent = isEmpty ? hint : words.things(count, event.seated)
  byId('total').textContent = isEmpty ? '' : money(total, event.currency)
}

function showMain(state) {
  const {
    event,
    phase,
    busy,
    held: { isHeld },
    selection,
    isOffline,
    isChanged,
    total,
    leftMsToOpening,
    quantity,
  } = state
  const main = byId('main')
  main.hidden = ['receipt', 'soldout', 'closed', 'missing', 'elsewhere'].includes(phase)
  if (main.hidden) return
  const isBuying = phase === 'buying' || busy === 'buy'
  if (isBuying) return enable(main, words.buying, false)
  if (isOffline) return enable(main, words.offlineButton, false)
  if (busy) return enable(main, words.working, false)
  if (phase === 'before') return enable(main, words.opensIn(clock(leftMsToOpening)), false)
  if (phase === 'paused' || phase === 'unavailable' || phase === 'loading') {
    return enable(main, phase === 'paused' ? words.paused : words.working, false)
  }
  if (!isHeld && !event.seated) return enable(main, words.hold(quantity, false))
  if (isHeld && isChanged && selection.length) return enable(main, words.change(selection.length))
  if (isHeld && !isChanged) return enable(main, words.buy(money(total, event.currency)))
  return enable(
    main,
    selection.length ? words.hold(selection.length, event.seated) : words.nothing,
    selection.length > 0,
  )
}
