/** How far the chain of digests of a log is. Pure data. Evidence.ts makes it. */

/** The chain through an entry. */
export interface Chain {
  /** The entry with which it began. */
  readonly beganIndex: number
  /** The last entry that it covers. */
  readonly index: number
  /** In hexadecimal. */
  readonly digest: string
}
