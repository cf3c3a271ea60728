/** How the control room writes numbers, amounts and times. */

import { money } from '../money.js'

const WHOLE = new Intl.NumberFormat('en')

export const count = (number) => (number === null ? '–' : WHOLE.format(number))

export const rate = (number) => (number >= 10 ? count(Math.round(number)) : number.toFixed(1))

export const ms = (number) => (number === null ? '–' : `${number >= 10 ? Math.round(number) : number.toFixed(1)} ms`)

/** An amount in minor units. */
export const amount = (minor, currency) => money(minor, currency, 'en')

/** A moment of today by its time, an older one by its day too. */
export function moment(text) {
  const at = new Date(text)
  const isToday = at.toDateString() === new Date().toDateString()
  return at.toLocaleString('en-GB', isToday ? { timeStyle: 'medium' } : { dateStyle: 'medium', timeStyle: 'short' })
}
