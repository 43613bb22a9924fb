/** A start of a node in its data directory, as others may remember it. Pure. Starts.ts keeps a directory's own. */

/** One start: how many there were with it, and a random number that no other start has. */
export interface Start {
  readonly life: number
  /** 16 hexadecimal digits. */
  readonly nonce: string
}

/** The starts in one directory, as its running node knows them. */
export interface OwnStarts {
  /** The start of this process; undefined if the disk had no room to keep it. */
  readonly current: Start | undefined
  /** Whether that start was made in this directory, or in one of which this is the only copy in use. */
  readonly includes: (start: Start) => boolean
}

/** Of a node that keeps no starts: it tells none, and takes every one for its own. */
export const untold: OwnStarts = { current: undefined, includes: () => true }

/** Whether both are the same start, or both none. */
export const isSameStart = (one: Start | undefined, other: Start | undefined): boolean => one?.nonce === other?.nonce
