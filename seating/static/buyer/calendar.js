/** A calendar file (RFC 5545) of an event and a purchase of it. */

const LONGEST_LINE = 73

/** Return the file's text; `lines` describe the purchase. */
export function calendarFile(event, purchaseId, lines) {
  const start = stamp(event.startsAt)
  const fields = [
    'BEGIN:VCALENDAR',
    'VERSION:2.0',
    'PRODID:-//seating//buyer//EN',
    'BEGIN:VEVENT',
    `UID:${escaped(purchaseId)}@${location.hostname}`,
    `DTSTAMP:${stamp(new Date())}`,
    `DTSTART:${start}`,
    `SUMMARY:${escaped(event.name)}`,
    ...(event.venue ? [`LOCATION:${escaped(event.venue)}`] : []),
    `DESCRIPTION:${escaped(lines.join('\n'))}`,
    'END:VEVENT',
    'END:VCALENDAR',
    '',
  ]
  return fields.map(folded).join('\r\n')
}

const stamp = (moment) => new Date(moment).toISOString().replace(/[-:]|\.\d+/g, '')

const escaped = (text) => text.replace(/[\\;,]/g, '\\$&').replace(/\r?\n/g, '\\n')

/** A line has at most 75 bytes; characters stay whole. */
function folded(line) {
  const parts = ['']
  let bytes = 0
  for (const character of line) {
    const more = new TextEncoder().encode(character).length
    if (bytes + more > LONGEST_LINE) {
      parts.push('')
      bytes = 0
    }
    parts[parts.length - 1] += character
    bytes += more
  }
  return parts.join('\r\n ')
}
