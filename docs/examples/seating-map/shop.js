// The page's own address says which event: ?event=…&server=https://tickets.example
import { SeatingFeed } from '/static/seating-feed.js'
import { money } from '/static/money.js'

const asked = new URLSearchParams(location.search)
const event = asked.get('event')
const server = asked.get('server') ?? location.origin
const find = (id) => document.getElementById(id)

for (const map of document.querySelectorAll('seating-map')) {
  map.setAttribute('server', server)
  map.setAttribute('event', event)
}

// A basket: what is chosen, what it costs, and how long it is kept.
const basket = find('basket')
basket.addEventListener('selectionchange', ({ detail: { seats, total, currency } }) => {
  const names = seats.map(({ section, row, number }) => `${section} ${row} ${number}`).join(', ')
  const amount = money(total, currency, 'en') // In minor units, of which a yen has none.
  find('chosen').textContent = seats.length ? [names, amount].filter(Boolean).join(': ') : 'Nothing chosen'
})
basket.addEventListener('holdchange', ({ detail: { hold } }) => {
  find('said').textContent = hold ? `Kept for ${Math.round(hold.expiresInMs / 60_000)} minutes` : 'Given back'
})
basket.addEventListener('soldelsewhere', ({ detail: { seats } }) => {
  find('said').textContent = `Somebody took ${seats.map(({ id }) => id).join(', ')}`
})
basket.addEventListener('error', ({ detail: { message } }) => { find('said').textContent = message })
find('best').addEventListener('click', () => basket.best(2))
find('take').addEventListener('click', () => basket.holdSelection())
find('extend').addEventListener('click', () => basket.extend())
find('release').addEventListener('click', () => basket.release())

// The shop holds the seats. Here it asks the same server; yours would ask its own, which has a key.
const own = find('own')
const holds = `${server}/api/v1/events/${event}/holds`
async function ask(method, token, body) {
  const answer = await fetch([holds, token].filter(Boolean).join('/'), {
    method, headers: { 'Content-Type': 'application/json' }, body: body && JSON.stringify(body),
  })
  if (answer.status === 204) return null
  const hold = await answer.json()
  if (!answer.ok) throw Object.assign(new Error(hold.message), { code: hold.code })
  return hold
}
own.hold = async (seats, { action, holdToken, quantity, category }) => {
  find('own-said').textContent = `${action} ${seats.join(', ')}`
  if (action === 'release') return ask('DELETE', holdToken)
  if (action === 'extend') return ask('PATCH', holdToken, {})
  if (action === 'take') return ask('POST', null, { seats })
  if (action === 'best') {
    const found = await ask('POST', null, { quantity, category })
    if (holdToken) await ask('DELETE', holdToken).catch(() => {})
    return found
  }
  const held = await ask('GET', holdToken)
  const [add, remove] = [seats.filter((id) => !held.seats.includes(id)), held.seats.filter((id) => !seats.includes(id))]
  return ask('PATCH', holdToken, { ...(add.length && { add }), ...(remove.length && { remove }) })
}
find('own-take').addEventListener('click', () => own.holdSelection())

// The feed alone.
const feed = new SeatingFeed({ server, event })
const show = () => {
  find('left').textContent = feed.seatsRemaining
  find('connection').textContent = feed.connection
}
for (const type of ['snapshot', 'seats', 'connection']) feed.addEventListener(type, show)
feed.start()
