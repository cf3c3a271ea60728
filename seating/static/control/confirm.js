/** A question before an act: what it does, why it is done, and for what cannot be undone the event's name. */

import { byId, element } from '../elements.js'

/** A name as one can see and type it: any white space is a blank, and an accent is a part of its letter. */
const plain = (text) => text.normalize('NFKC').replace(/\s+/gu, ' ').trim()

/**
 * Ask, and return `{why}`, or null if the operator thinks better of it. `typed` is what has to be typed, none by
 * default. `choice` has a `node` with further inputs and `question()`, which says title, text and act anew after each
 * change of them, and whether they are enough (`isReady`).
 */
export function confirm({ title, text, act, typed = '', needsWhy = false, danger = false, choice = null }) {
  const dialog = byId('confirm')
  return new Promise((resolve) => {
    const heading = element('h2', { id: 'confirm-title' }, title)
    const about = element('p', {}, text)
    const why = element('input', { id: 'why', maxlength: '300', required: needsWhy, autocomplete: 'off' })
    const name = typed && element('input', { id: 'typed', required: true, autocomplete: 'off', spellcheck: 'false' })
    const go = element('button', { class: `main${danger ? ' danger-main' : ''}`, type: 'submit' }, act)
    const check = () => {
      const asked = choice?.question() ?? { title, text, act, isReady: true }
      heading.textContent = asked.title
      about.textContent = asked.text
      go.textContent = asked.act
      go.disabled = !asked.isReady || (Boolean(typed) && plain(name.value) !== plain(typed))
    }
    const form = element(
      'form',
      {
        method: 'dialog',
        oninput: check,
        onsubmit: (event) => {
          event.preventDefault()
          finish({ why: why.value.trim() || undefined })
        },
      },
      heading,
      choice?.node,
      about,
      element('label', { for: 'why' }, needsWhy ? 'Reason' : 'Reason, for the audit trail'),
      why,
      typed && element('label', { for: 'typed' }, `Type ${typed} to go on`),
      name,
      element(
        'div',
        { class: 'row' },
        go,
        element('button', { type: 'button', onclick: () => finish(null) }, 'Leave it'),
      ),
    )
    const finish = (answer) => {
      dialog.close()
      dialog.replaceChildren()
      resolve(answer)
    }
    dialog.oncancel = () => finish(null)
    dialog.replaceChildren(form)
    check()
    dialog.showModal()
  })
}
