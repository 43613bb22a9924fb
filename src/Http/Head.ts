/** The head of a request as plain data. */
import type { Caller } from "../Access/Caller.ts"

/** The head of a request. `url` is its target without the prefix of the mount; names of headers are in lower case. */
export interface RequestHead {
  readonly method: string
  readonly url: string
  readonly headers: Readonly<Record<string, string | undefined>>
}

/** A head, and who sent it (Authentication.ts). */
export interface Head extends RequestHead {
  readonly caller: Caller
}
