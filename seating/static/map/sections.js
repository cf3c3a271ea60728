/** The sections of a hall: their rows, their seats, and the shape that they have from afar. */

import { box } from './areas.js'

const APART = 3 // Pitches between seats of different parts of a section.
const MOST_CELLS = 2 ** 20 // Of a zone, across.
const SAMPLED = 200
const LOOKED_AHEAD = 16

/** A zone, or each of its parts where they stand apart: a floor, a box. */
export function findSections(hall, plan) {
  const parts = findParts(hall)
  const sections = new Map()
  const zones = new Map()
  hall.lines.forEach((line) => {
    const key = `${line.zone}/${parts(line)}`
    if (!sections.has(key)) {
      const name = line.name || plan.name
      const section = { number: sections.size, name, title: name, lines: [], rows: new Map() }
      sections.set(key, section)
      zones.set(line.zone, [...(zones.get(line.zone) ?? []), section])
    }
    const section = sections.get(key)
    section.lines.push(line)
    section.rows.set(line.label, [...(section.rows.get(line.label) ?? []), line])
    hall.sectionOf.fill(section.number, line.first, line.end)
  })
  for (const same of zones.values()) {
    if (same.length > 1) same.forEach((section, number) => { section.title = `${section.name} ${number + 1}` })
  }
  return [...sections.values()].map((section) => measured(hall, section))
}

/** Name the connected part of the hall in which a line is: cells that touch, of one zone. */
function findParts({ lines, x, y, pitch }) {
  const size = APART * pitch
  const zones = new Map()
  const parts = new Map()
  const cellOf = ({ zone }, i) => (
    (zones.get(zone) * MOST_CELLS + Math.floor(x[i] / size)) * MOST_CELLS + Math.floor(y[i] / size)
  )
  for (const line of lines) {
    if (!zones.has(line.zone)) zones.set(line.zone, zones.size)
    for (let i = line.first; i < line.end; i++) parts.set(cellOf(line, i), 0)
  }
  let count = 0
  for (const [cell, part] of parts) {
    if (part) continue
    const open = [cell]
    parts.set(cell, ++count)
    for (const next of open) {
      for (const step of [1, MOST_CELLS - 1, MOST_CELLS, MOST_CELLS + 1]) {
        for (const near of [next + step, next - step]) {
          if (parts.get(near) === 0) open.push(near) && parts.set(near, count)
        }
      }
    }
  }
  return (line) => parts.get(cellOf(line, line.first))
}

function measured(hall, section) {
  const seats = []
  for (const { first, end } of section.lines) for (let i = first; i < end; i++) seats.push(i)
  section.seats = seats
  section.bounds = hall.boundsOf(seats)
  section.thickness = rowDistance(hall, section)
  const { left, top, right, bottom } = section.bounds
  section.outline = box(left - section.thickness, top - section.thickness, right + section.thickness, bottom + section.thickness)
  section.path = section.lines.map((line) => outline(hall, line))
  section.rows = [...section.rows].map(([label, lines]) => ({ label, seats: inOrder(hall, lines) }))
  section.path.push(...sides(hall, section))
  section.centre = anchor(hall, section)
  return section
}

/** Seats of a row's stretches, from one side to the other. */
function inOrder(hall, lines) {
  const flat = lines.reduce((sum, { first, end }) => sum + Math.abs(hall.x[end - 1] - hall.x[first]), 0)
  const steep = lines.reduce((sum, { first, end }) => sum + Math.abs(hall.y[end - 1] - hall.y[first]), 0)
  const along = flat >= steep ? hall.x : hall.y
  const seats = []
  for (const { first, end } of [...lines].sort((a, b) => along[a.first] - along[b.first])) {
    for (let i = first; i < end; i++) seats.push(i)
  }
  return seats
}

/** How far apart rows are: bands of this width along them leave no gap. */
function rowDistance(hall, section) {
  const found = []
  const step = Math.ceil(section.lines.length / SAMPLED)
  for (let number = 0; number < section.lines.length; number += step) {
    const line = section.lines[number]
    const middle = (line.first + line.end) >> 1
    const other = hall.nearest(
      hall.x[middle], hall.y[middle], 3 * hall.pitch,
      (i) => hall.sectionOf[i] === section.number && hall.lines[hall.lineOf[i]].label !== line.label,
    )
    if (other >= 0) found.push(hall.between(middle, other))
  }
  found.sort((a, b) => a - b)
  return 1.15 * Math.max(hall.pitch, found[Math.floor(found.length * 0.7)] ?? 0)
}

/** Where a name stands: in the middle, on a row. */
function anchor(hall, { lines, bounds }) {
  const [x, y] = [(bounds.left + bounds.right) / 2, (bounds.top + bounds.bottom) / 2]
  const distance = (i) => Math.hypot(hall.x[i] - x, hall.y[i] - y)
  const near = lines.map(({ first, end }) => (first + end) >> 1).reduce((a, b) => (distance(b) < distance(a) ? b : a))
  return { x, y: distance(near) < 3 * hall.pitch ? y : hall.y[near] }
}

/** From an end of each stretch to that of the next row: bands along them give the section straight sides. */
function sides(hall, { lines, thickness }) {
  const sides = []
  lines.forEach((line, number) => {
    for (const end of ['first', 'last']) {
      const seat = end === 'first' ? line.first : line.end - 1
      const next = lines.slice(number + 1, number + LOOKED_AHEAD)
        .filter((other) => other.label !== line.label && hall.category[other.first] === hall.category[seat])
        .map((other) => (end === 'first' ? other.first : other.end - 1))
        .filter((other) => hall.between(seat, other) < 1.7 * thickness)
      if (next.length) sides.push([seat, next.reduce((a, b) => (hall.between(seat, a) <= hall.between(seat, b) ? a : b))])
    }
  })
  return sides
}

function outline(hall, { first, end }) {
  const points = [first]
  let from = first
  for (let i = first + 1; i < end - 1; i++) {
    const across = (hall.x[i] - hall.x[from]) * (hall.y[i + 1] - hall.y[from])
      - (hall.y[i] - hall.y[from]) * (hall.x[i + 1] - hall.x[from])
    if (Math.abs(across) > 0.05 * hall.pitch * hall.between(i + 1, from)) points.push(from = i)
  }
  points.push(end - 1)
  return points
}
