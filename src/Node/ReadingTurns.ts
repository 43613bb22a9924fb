/**
 * Reads connections in turns while a node is crowded: it refuses requests, or has many under way and is behind with its
 * answers. A request that waits lives in the heap, and each collection copies it: with thousands of them, collections
 * cost as much as the work. And a client that is refused and asks again at once would be refused all the time, which
 * costs a third of a write. So a connection that got its answer is not read again until its turn comes. Its next
 * request stays with the operating system, where it costs nothing. Decision 41.
 */

/** Beyond so many requests under way connections take turns. Fewer keep a node busy. */
export const inTurnsFrom = 256
/** How long a connection may wait for its turn: as long as `Retry-After` asks a refused client to wait. */
export const restMaxMs = 1_000
/** How soon a crowd is looked at again. */
const lookEveryMs = 1

interface Resting {
  readonly sinceMs: number
  readonly isCrowded: () => boolean
  readonly read: () => void
}

/** The turns of all connections of a server. */
export interface ReadingTurns {
  /**
   * Calls `read` once, when the connection may be read: the node is not crowded, and those before it have been read, or
   * a second has passed.
   */
  readonly await: (isCrowded: () => boolean, read: () => void) => void
}

/** Makes the turns of a server. */
export const make = (maxMs = restMaxMs): ReadingTurns => {
  /** The oldest first: each connection once, for a second or so if it has closed meanwhile. */
  const resting: Array<Resting> = []
  let isLooking = false

  const isDue = ({ isCrowded, sinceMs }: Resting): boolean => !isCrowded() || performance.now() - sinceMs >= maxMs

  /** Nobody knows which of them have sent something, until the event loop has read them once. */
  const look = (): void => {
    let count = 0
    try {
      while (resting[0] !== undefined && count < inTurnsFrom && isDue(resting[0])) {
        count += 1
        resting.shift()?.read()
      }
    } finally {
      // The others have their turn although one has thrown, in a program that goes on after that.
      isLooking = resting.length > 0
      if (isLooking && count > 0) setImmediate(look)
      else if (isLooking) setTimeout(look, lookEveryMs)
    }
  }

  return {
    await: (isCrowded, read) => {
      resting.push({ sinceMs: performance.now(), isCrowded, read })
      if (isLooking) return
      isLooking = true
      setImmediate(look)
    }
  }
}
