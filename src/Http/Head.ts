/** The head of a request as plain data. */

/** The head of a request. `url` is its target without the prefix of the mount; names of headers are in lower case. */
export interface Head {
  readonly method: string
  readonly url: string
  readonly headers: Readonly<Record<string, string | undefined>>
}
