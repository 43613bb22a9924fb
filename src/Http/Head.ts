/** The head of a request as plain data. */
import type { Caller } from "../Access/Caller.ts"
import type { Visit } from "./Visit.ts"

/** The head of a request. `url` is its target without the prefix of the mount; names of headers are in lower case. */
export interface RequestHead {
  readonly method: string
  readonly url: string
  readonly headers: Readonly<Record<string, string | undefined>>
}

/**
 * A head, who sent it (Authentication.ts), what the edge knows of it (Edge.ts), and the `traceparent` of its span, if its
 * client wants it traced (RequestSpan.ts).
 */
export interface Head extends RequestHead {
  readonly caller: Caller
  readonly visit: Visit | undefined
  readonly trace?: string
}
