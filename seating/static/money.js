/** Amounts by the minor units of ISO 4217. A browser's own data rounds some currencies to whole units. */

const NONE = 'BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF'
const THREE = 'BHD IQD JOD KWD LYD OMR TND'
const FOUR = 'CLF UYW'
const formats = {}

const digitsOf = (currency) => (
  NONE.includes(currency) ? 0 : THREE.includes(currency) ? 3 : FOUR.includes(currency) ? 4 : 2
)

/** Write an amount in minor units, without the fraction where `short` and there is none; empty without a price. */
export function money(minor, currency, locale, short = false) {
  if (!currency || !Number.isFinite(minor)) return ''
  const digits = digitsOf(currency)
  const format = formats[[locale, currency, short]] ??= new Intl.NumberFormat(locale, {
    style: 'currency', currency, minimumFractionDigits: digits, maximumFractionDigits: digits,
    trailingZeroDisplay: short ? 'stripIfInteger' : 'auto',
  })
  return format.format(minor / 10 ** digits)
}
