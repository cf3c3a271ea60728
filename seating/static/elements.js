/** Building and changing a page's elements. Text is always set as text, never as markup. */

/** Return the element with this id. */
export const byId = (id) => document.getElementById(id)

/** Build an element: `text` or children after its attributes; `on…` names are listeners. */
export function element(name, attributes = {}, ...children) {
  const built = document.createElement(name)
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith('on')) built.addEventListener(key.slice(2), value)
    else if (value === true) built.setAttribute(key, '')
    else if (value !== false && value !== null && value !== undefined) built.setAttribute(key, value)
  }
  built.append(...children.filter((child) => child !== null && child !== undefined && child !== ''))
  return built
}

/** Set an element's text, and hide it where there is none. Leaves what is there if it is the same. */
export function show(shown, text) {
  const visible = text !== '' && text !== null && text !== undefined && text !== false
  if (shown.hidden === visible) shown.hidden = !visible
  if (visible && shown.textContent !== String(text)) shown.textContent = text
}

/** Make a button say why it waits: it stays where the keyboard is, and does nothing. */
export function enable(button, text, enabled = true) {
  if (button.textContent !== text) button.textContent = text
  button.disabled = false
  if (enabled) button.removeAttribute('aria-disabled')
  else button.setAttribute('aria-disabled', 'true')
}

export const isEnabled = (button) => button.getAttribute('aria-disabled') !== 'true' && !button.disabled

/** Return a custom property as a colour that a canvas takes. */
export function canvasColor(name) {
  const probe = element('span', { hidden: true })
  document.body.append(probe)
  probe.style.color = `var(${name})`
  const { color } = getComputedStyle(probe)
  probe.remove()
  return color
}
