/** Finds the end of an HTTP/1.1 response in bytes, and no more of it than a load generator needs. Pure. */

export interface Response {
  readonly status: number
  /** The bytes of this response: its head, its body, and the trailers of a chunked one. */
  readonly length: number
  /** Whether the server closes the connection after it. */
  readonly isLast: boolean
  /** How long the client is asked to wait (`Retry-After`); 0 if it is not. */
  readonly retryAfterMs: number
}

const headEnd = "\r\n\r\n"

/** The response at the start of these bytes, or nothing while a part of it is missing. */
export const parseResponse = (bytes: Buffer): Response | undefined => {
  const headLength = bytes.indexOf(headEnd)
  if (headLength < 0) return undefined
  const head = bytes.toString("latin1", 0, headLength).toLowerCase()
  const status = Number(head.slice(9, 12))
  if (!head.startsWith("http/1.1 ") || !Number.isInteger(status)) {
    throw new Error(`Expected a response of HTTP/1.1, found "${head.slice(0, 40)}"`)
  }
  const start = headLength + headEnd.length
  const end =
    header(head, "transfer-encoding") === "chunked" ? chunkedEnd(bytes, start) : start + lengthOf(head, status)
  if (end === undefined || end > bytes.length) return undefined
  const retryAfterMs = status < 400 ? 0 : 1000 * Number(header(head, "retry-after") ?? 0)
  return { status, length: end, isLast: header(head, "connection") === "close", retryAfterMs }
}

const header = (head: string, name: string): string | undefined => {
  const at = head.indexOf(`\r\n${name}:`)
  if (at < 0) return undefined
  const from = at + name.length + 3
  const to = head.indexOf("\r\n", from)
  return head.slice(from, to < 0 ? head.length : to).trim()
}

const lengthOf = (head: string, status: number): number => {
  const length = header(head, "content-length")
  if (length === undefined && status !== 204 && status !== 304) throw new Error(`A response has no length: ${head}`)
  return Number(length ?? 0)
}

/** The place after the last chunk and its trailers. */
const chunkedEnd = (bytes: Buffer, start: number): number | undefined => {
  let at = start
  while (true) {
    const sizeEnd = bytes.indexOf("\r\n", at)
    if (sizeEnd < 0) return undefined
    const size = Number.parseInt(bytes.toString("latin1", at, sizeEnd), 16)
    if (size === 0) {
      // Trailers end with an empty line. Without any, that line follows at once.
      const end = bytes.indexOf(headEnd, sizeEnd)
      return end < 0 ? undefined : end + headEnd.length
    }
    at = sizeEnd + 2 + size + 2
  }
}
