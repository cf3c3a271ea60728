/** Requests with the operator's key, which this tab keeps until it is closed. */

import { ask } from '../requests.js'

const NAME = 'seating:control:key'

export class Session {
  /** Called when the server wants another key. */
  onRefused = () => {}

  get key() {
    return sessionStorage.getItem(NAME) ?? ''
  }

  set key(key) {
    if (key) sessionStorage.setItem(NAME, key)
    else sessionStorage.removeItem(NAME)
  }

  get headers() {
    return this.key ? { Authorization: `Bearer ${this.key}` } : {}
  }

  /** As `ask` of requests.js. Throws what it does. */
  async ask(method, path, body) {
    try {
      return await ask(method, path, { body, headers: this.headers })
    } catch (error) {
      if (error.status === 401) this.onRefused(error.message)
      throw error
    }
  }

  get(path) {
    return this.ask('GET', path)
  }
}
