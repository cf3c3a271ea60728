// The page's own address says which event: ?event=…&server=https://tickets.example
import { SeatingFeed } from '/static/seating-feed.js'

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
  const amount = currency && new Intl.NumberFormat('en', { style: 'currency', currency }).format(total / 100)
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
own.hold = async (seats, { action, holdToken }) => {
  find('own-said').textContent = `${action} ${seats.join(', ')}`
  const holds = `${server}/api/v1/events/${event}/holds`
  if (action === 'release') return void await fetch(`${holds}/${holdToken}`, { method: 'DELETE' })
  const answer = await fetch(holds, {
    method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ seats }),
  })
  const hold = await answer.json()
  if (!answer.ok) throw Object.assign(new Error(hold.message), { code: hold.code })
  return { token: hold.holdToken, expiresAt: hold.expiresAt, expiresInMs: hold.expiresInMs }
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
