/**
 * Remembers where some versions of records are in the log, so that the next page of a long history does not walk from
 * the newest version again. What it remembers never changes, and it may forget anything. Pure, owned, mutable.
 */

/** A version of a record, its entry, and the time of that. */
export interface Checkpoint {
  readonly version: number
  readonly index: number
  readonly timeMs: number
}

export interface Checkpoints {
  readonly note: (record: { readonly name: string; readonly id: string }, met: Checkpoint) => void
  /** The lowest known one at or above a version, or later than a time. */
  readonly above: (
    record: { readonly name: string; readonly id: string },
    moment: { readonly version: number } | { readonly timeMs: number }
  ) => Checkpoint | undefined
}

/** One version in so many is remembered, */
const everyCount = 64
/** of all records together at most so many. */
const heldMaxCount = 65_536

export const make = (): Checkpoints => {
  /** By record, ascending versions. The records that were used last are the last. */
  const held = new Map<string, Array<Checkpoint>>()
  let heldCount = 0

  const keyOf = ({ id, name }: { readonly name: string; readonly id: string }) => `${name}/${id}`

  const used = (key: string): Array<Checkpoint> | undefined => {
    const list = held.get(key)
    if (list === undefined) return undefined
    held.delete(key)
    held.set(key, list)
    return list
  }

  return {
    note: (record, met) => {
      if (met.version % everyCount !== 0) return
      const key = keyOf(record)
      const list = used(key) ?? []
      const at = list.findLastIndex(({ version }) => version <= met.version)
      if (list[at]?.version === met.version) return
      list.splice(at + 1, 0, met)
      held.set(key, list)
      heldCount += 1
      for (const [oldest, { length }] of held) {
        if (heldCount <= heldMaxCount || oldest === key) break
        held.delete(oldest)
        heldCount -= length
      }
    },
    above: (record, moment) =>
      used(keyOf(record))?.find((checkpoint) =>
        "version" in moment ? checkpoint.version >= moment.version : checkpoint.timeMs > moment.timeMs
      )
  }
}
