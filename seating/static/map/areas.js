/** Areas of a plan: shapes and texts around the seats, the stage among them. */

import { inkOn, mix } from './colors.js'

const COLOR = /^(#[0-9a-f]{3,8}|[a-z]{3,30})$/i
/** A rectangle in plan units. */
export const box = (left, top, right, bottom) => ({ left, top, right, bottom })

export const overlap = (a, b) => a.left <= b.right && b.left <= a.right && a.top <= b.bottom && b.top <= a.bottom

/** Things found by their place. */
export class Grid {
  #cells = new Map()

  constructor(side) { this.side = side }

  #key(column, row) { return column * 4_000_003 + row }

  add(x, y, thing) {
    const key = this.#key(Math.floor(x / this.side), Math.floor(y / this.side))
    const things = this.#cells.get(key)
    if (things) things.push(thing)
    else this.#cells.set(key, [thing])
  }

  /** Call `visit` with each thing whose cell the rectangle touches. */
  eachIn({ left, top, right, bottom }, visit) {
    const { side } = this
    for (let column = Math.floor(left / side); column <= Math.floor(right / side); column++) {
      for (let row = Math.floor(top / side); row <= Math.floor(bottom / side); row++) {
        for (const thing of this.#cells.get(this.#key(column, row)) ?? []) visit(thing)
      }
    }
  }
}

const STAGE = new RegExp(
  '^(main|the|la|haupt)?(stage|screen|podium|altar|bühne|buehne|leinwand|scène|écran|palco|palcoscenico|schermo|'
  + 'escenario|escena|pantalla|tela|toneel|scena|ekran|sahne|panggung|layar|сцена|экран|舞台|ステージ|무대)$', 'u',
)

/** The rectangle around an area and its text, which turns with it. */
export function areaBounds(area) {
  const { x, y } = area.position
  const points = [[0, 0]]
  if (area.shape === 'polygon') for (const point of area.polygon?.points ?? []) points.push([point.x, point.y])
  const [width, height] = [area.rectangle?.width ?? area.width ?? 0, area.rectangle?.height ?? area.height ?? 0]
  if (area.shape === 'rectangle' || !area.shape) points.push([width, 0], [0, height], [width, height])
  const [rx, ry] = area.shape === 'circle' ? [area.circle?.radius ?? 0, area.circle?.radius ?? 0]
    : area.shape === 'ellipse' ? [area.ellipse?.radius.x ?? 0, area.ellipse?.radius.y ?? 0] : [0, 0]
  points.push([-rx, -ry], [rx, -ry], [-rx, ry], [rx, ry])
  if (area.text?.text) {
    const [half, up] = [area.text.text.length * (area.text.size || 16) * 0.3, (area.text.size || 16) * 0.7]
    const at = area.text.position ?? { x: 0, y: 0 }
    points.push([at.x - half, at.y - up], [at.x + half, at.y + up])
  }
  const turn = ((area.rotation || 0) * Math.PI) / 180
  const [cos, sin] = [Math.cos(turn), Math.sin(turn)]
  const turned = points.map(([px, py]) => [x + px * cos - py * sin, y + px * sin + py * cos])
  const xs = turned.map(([px]) => px)
  const ys = turned.map(([, py]) => py)
  return box(Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys))
}

const isStage = ({ text }) => STAGE.test((text?.text ?? '').toLowerCase().normalize('NFC').replace(/[^\p{L}]/gu, ''))

/** The rectangle around the stage: a mere text stands for the smallest shape around it. */
export function stageBounds(areas) {
  const stage = areas.find(isStage)
  if (!stage) return null
  const own = areaBounds(stage)
  if (stage.shape !== 'text') return own
  const [x, y] = [(own.left + own.right) / 2, (own.top + own.bottom) / 2]
  const size = (shape) => (shape.right - shape.left) * (shape.bottom - shape.top)
  const around = areas.filter((area) => area !== stage && area.shape !== 'text').map(areaBounds)
    .filter((shape) => shape.left <= x && x <= shape.right && shape.top <= y && y <= shape.bottom)
  return around.sort((a, b) => size(a) - size(b))[0] ?? own
}

/** Draw an area's shape, then its text; the context's unit is the plan's. */
export function drawArea(context, area, theme, scale) {
  context.save()
  context.translate(area.position.x, area.position.y)
  context.rotate(((area.rotation || 0) * Math.PI) / 180)
  const path = shapeOf(area)
  if (path) {
    context.globalAlpha = SHARE
    context.fillStyle = muted(area.color, theme)
    context.fill(path)
    context.globalAlpha = 1
    context.strokeStyle = theme.hairline
    context.lineWidth = 1 / scale
    context.stroke(path)
  }
  drawText(context, area, theme, scale, path ? inkOn(mix(muted(area.color, theme), theme.paper, SHARE)) : theme.quiet)
  context.restore()
}

const SHARE = 0.5
const LEAST_TEXT = 7 // CSS pixels
const LEAST_STAGE = 12
const MOST_STAGE = 22

function drawText(context, area, theme, scale, ink) {
  const { text, position, size: given } = area.text ?? {}
  const { left, right } = areaBounds(area)
  const isLegible = isStage(area) && (right - left) * scale > 6 * LEAST_STAGE
  const wanted = given || 16
  const size = isLegible ? Math.min(MOST_STAGE / scale, Math.max(wanted, LEAST_STAGE / scale)) : wanted
  if (!text?.trim() || size * scale < LEAST_TEXT) return
  context.fillStyle = ink
  context.font = `600 ${size}px ${theme.font}`
  context.textAlign = 'center'
  context.textBaseline = 'middle'
  text.split('\n').forEach((line, number, lines) => {
    const down = (number - (lines.length - 1) / 2) * size * 1.25
    context.fillText(line, position?.x ?? 0, (position?.y ?? 0) + down)
  })
}

/** A colour that the plan gives, if it is one, on its way to the paper's: areas stay behind the seats. */
function muted(color, theme) {
  return color && COLOR.test(color) && !theme.isDark ? color : theme.area
}

function shapeOf(area) {
  const path = new Path2D()
  if (area.shape === 'polygon' && area.polygon) {
    area.polygon.points.forEach(({ x, y }) => path.lineTo(x, y))
    path.closePath()
  } else if (area.shape === 'circle' && area.circle) path.arc(0, 0, area.circle.radius, 0, 2 * Math.PI)
  else if (area.shape === 'ellipse' && area.ellipse) {
    path.ellipse(0, 0, area.ellipse.radius.x, area.ellipse.radius.y, 0, 0, 2 * Math.PI)
  } else if (area.shape === 'rectangle' && area.rectangle) {
    path.rect(0, 0, area.rectangle.width, area.rectangle.height)
  } else if (!area.shape && area.width && area.height) path.rect(0, 0, area.width, area.height)
  else return null
  return path
}
