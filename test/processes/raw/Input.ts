/** One raw input: bytes to send, and the answers that the contract asks for. */
import type { Step } from "./Connection.ts"

export interface RawInput {
  readonly name: string
  readonly steps: ReadonlyArray<Step>
  /** The answers, all of them and in order, as in `400 invalid-request`; undefined where the contract leaves them open. */
  readonly answers?: ReadonlyArray<string | RegExp>
  /** Whether the node ends the connection then; `false` says that it serves the next request on it. */
  readonly closes?: boolean
}

/** An input whose answers are all known. */
export const answered = (
  name: string,
  steps: ReadonlyArray<Step>,
  answers: ReadonlyArray<string | RegExp>,
  closes = false
): RawInput => ({ name, steps, answers, closes })

/** An input after which the node ends the connection. */
export const closing = (name: string, steps: ReadonlyArray<Step>, ...answers: ReadonlyArray<string | RegExp>) =>
  answered(name, steps, answers, true)

/** An input that the node must survive, with any answer. */
export const survived = (name: string, ...steps: ReadonlyArray<Step>): RawInput => ({ name, steps })

export const invalid = "400 invalid-request"

/** A request of these lines. */
export const lines = (...head: ReadonlyArray<string>): string => `${head.join("\r\n")}\r\n\r\n`

export const get = (path = "/livez", ...headers: ReadonlyArray<string>): string =>
  lines(`GET ${path} HTTP/1.1`, "host: localhost", ...headers)

/** The record, of 26 bytes, that POSTs of the suite write. */
export const record = '{"name":"raw","price":"1"}'

export const postHead = (...headers: ReadonlyArray<string>): string =>
  lines("POST /api/products HTTP/1.1", "host: localhost", "content-type: application/json", ...headers)

// Text is sent a byte a letter.
export const post = (body = record, ...headers: ReadonlyArray<string>): string =>
  postHead(`content-length: ${body.length}`, ...headers) + body

/** The head of a POST whose body comes in chunks. The input adds the chunks. */
export const chunkedHead = postHead("transfer-encoding: chunked")

export const chunk = (text: string): string => `${text.length.toString(16)}\r\n${text}\r\n`

export const lastChunk = "0\r\n\r\n"

/** Asks to speak as a peer, on the peers' path or elsewhere. */
export const openPeer = (path = "/_raft"): string => get(path, "connection: Upgrade", "upgrade: lithair-peer")
