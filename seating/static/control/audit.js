/** The audit trail: who did what, and why. */

import { byId, element } from '../elements.js'
import { moment } from './numbers.js'

const LONGEST_LIST = 20
const COLUMNS = ['At', 'Who', 'What', 'Of', 'From, to', 'Why']

/** Show the newest acts of operators. */
export async function showAudit(session) {
  const { acts } = await session.get(`/api/v1/audit?limit=${LONGEST_LIST}`)
  const table = byId('audit')
  const key = String(acts[0]?.id)
  if (table.dataset.key === key) return
  table.dataset.key = key
  const cell = (text, index) => element('td', { class: index ? null : 'number' }, text)
  table.replaceChildren(
    element('thead', {}, element('tr', {}, ...COLUMNS.map((name) => element('th', { scope: 'col' }, name)))),
    element('tbody', {}, ...acts.map((act) => element('tr', {}, ...cells(act).map(cell)))),
  )
}

function cells({ at, actor, action, eventId, target, before, after, why }) {
  const of = [eventId, target].filter(Boolean).join(' · ')
  return [moment(at), actor, action, of, [before, after].filter(Boolean).join(' → '), why ?? '']
}
