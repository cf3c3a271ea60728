/** Requests of our own pages: JSON in and out, errors with the server's code. */

const ANSWER_MS = 15_000

/**
 * Send a request and return the JSON of its answer, null for one without a body.
 *
 * Throws an error with the problem's fields and `status`; `status` is 0 where no answer came, so that it is unknown
 * what the server did.
 */
export async function ask(method, path, { body, headers = {}, waitMs = ANSWER_MS } = {}) {
  const sent = { Accept: 'application/json', ...headers, ...(body && { 'Content-Type': 'application/json' }) }
  let response, answer
  try {
    response = await fetch(path, {
      method,
      headers: sent,
      body: body && JSON.stringify(body),
      cache: 'no-store',
      signal: AbortSignal.timeout(waitMs),
    })
    answer = response.status === 204 ? null : await response.json()
  } catch (error) {
    throw Object.assign(new Error('no answer', { cause: error }), { status: 0 })
  }
  if (response.ok) return answer
  const retryAfterS = Number(response.headers.get('Retry-After')) || 0
  throw Object.assign(new Error(answer.message), answer, { status: response.status, retryAfterS })
}

export const wait = (ms) =>
  new Promise((resolve) => {
    setTimeout(resolve, ms)
  })
