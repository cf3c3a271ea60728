/** The map's colours, as the page's style sheet has them, and those of categories, which everybody can tell apart. */

const LEAST_CONTRAST = 3 // WCAG 2.2, 1.4.11
const LEAST_DIFFERENCE = 12 // CIE76 ΔE
const OKABE_ITO = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#56b4e9', '#e69f00', '#f0e442', '#6a6a6a']
// Viénot, Brettel and Mollon 1999, in linear RGB.
const DEUTERANOPIA = [[0.29275, 0.70725, 0], [0.29275, 0.70725, 0], [-0.02234, 0.02234, 1]]

/** Read the colours of the moment from the component's style; `hall` has the plan's colours. */
export function readTheme(host, hall) {
  const style = getComputedStyle(host)
  const color = (name) => css(rgb(style.getPropertyValue(`--seating-${name}`).trim()))
  const [paper, ink] = [color('paper'), color('ink')]
  const used = new Set(hall.category)
  return {
    paper, ink,
    accent: color('accent'), area: color('area'), taken: color('taken'),
    quiet: mix(ink, paper, 0.66),
    hairline: mix(ink, paper, 0.22),
    font: style.fontFamily,
    isDark: rgb(paper)[1] < 128,
    colors: palette(hall.categories.map(({ color: given }) => given), used, rgb(paper)),
  }
}

/** The colours of all categories: the plan's if they serve, else Okabe and Ito's in the plan's order. */
function palette(given, used, paper) {
  const plan = given.map((color) => (color ? rgb(color) : null))
  const shown = plan.filter((_, category) => used.has(category))
  const serve = shown.every((color) => color && contrast(color, paper) >= LEAST_CONTRAST) && differ(shown)
  if (serve) return plan.map((color) => color ?? paper).map(css)
  const ranks = [...used].sort((a, b) => a - b)
  return given.map((_, category) => {
    const rank = Math.max(0, ranks.indexOf(category))
    return css(legible(rgb(OKABE_ITO[rank % OKABE_ITO.length]), paper))
  })
}

export const inkOn = (color) => {
  const own = rgb(color)
  return contrast(own, [255, 255, 255]) >= contrast(own, [20, 20, 22]) ? '#ffffff' : '#141416'
}

/** A colour as red, green and blue of 0 to 255, whatever CSS says it in. */
export function rgb(color) {
  let known = read.get(color)
  if (!known) {
    if (read.size > 500) read.clear()
    pixel ??= Object.assign(document.createElement('canvas'), { width: 1, height: 1 })
      .getContext('2d', { willReadFrequently: true })
    pixel.clearRect(0, 0, 1, 1)
    pixel.fillStyle = '#888888'
    pixel.fillStyle = color
    pixel.fillRect(0, 0, 1, 1)
    known = [...pixel.getImageData(0, 0, 1, 1).data.slice(0, 3)]
    read.set(color, known)
  }
  return known
}

const read = new Map()
let pixel = null

export const css = ([red, green, blue]) => `rgb(${Math.round(red)}, ${Math.round(green)}, ${Math.round(blue)})`

/** The colour that is `share` of the first and the rest of the second. */
export function mix(one, other, share) {
  const [a, b] = [rgb(one), rgb(other)]
  return css(a.map((part, i) => part * share + b[i] * (1 - share)))
}

export function contrast(one, other) {
  const [a, b] = [luminance(one), luminance(other)]
  return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05)
}

const linear = (color) => color.map((part) => {
  const share = part / 255
  return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4
})

function luminance(color) {
  const [red, green, blue] = linear(color)
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue
}

function legible(color, paper) {
  const end = luminance(paper) > 0.4 ? 0 : 255
  let found = color
  for (let step = 0; step < 20 && contrast(found, paper) < LEAST_CONTRAST; step++) {
    found = found.map((part) => part + (end - part) * 0.08)
  }
  return found
}

function differ(colors) {
  const seen = [colors.map((color) => lab(linear(color))), colors.map((color) => lab(asDeuteranope(linear(color))))]
  return seen.every((labs) => labs.every((one, i) => labs.slice(i + 1).every((other) => (
    Math.hypot(...one.map((part, axis) => part - other[axis])) >= LEAST_DIFFERENCE
  ))))
}

const asDeuteranope = (color) => DEUTERANOPIA.map((row) => (
  Math.min(1, Math.max(0, row.reduce((sum, share, i) => sum + share * color[i], 0)))
))

function lab([red, green, blue]) {
  const f = (part) => (part > 216 / 24389 ? Math.cbrt(part) : (24389 / 27 * part + 16) / 116)
  const x = f((0.4124 * red + 0.3576 * green + 0.1805 * blue) / 0.95047)
  const y = f(0.2126 * red + 0.7152 * green + 0.0722 * blue)
  const z = f((0.0193 * red + 0.1192 * green + 0.9505 * blue) / 1.08883)
  return [116 * y - 16, 500 * (x - y), 200 * (y - z)]
}
