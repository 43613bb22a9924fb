/**
 * What clients of a harmed cluster were told, beside their history: each write under a name of its own, so that the log
 * says in the end what was done; and what each node has shown, so that it never shows less, in no later life either.
 */
import { assert } from "@effect/vitest"

/** What a client was told of one write, all attempts together. */
export type Told = "done" | "refused" | "notDone" | "closed" | "unknown"

export interface Ledger {
  /** What became of the write of this name. */
  readonly told: (name: string, told: Told) => void
  /** A write was acknowledged at this index, by this time. */
  readonly acknowledged: (index: number, atMs: number) => void
  /** A read of this node began at `atMs`, and reflects `index`; with `staleMs`, the age that a local one claims. */
  readonly read: (
    node: string,
    read: { readonly index: number; readonly atMs: number; readonly staleMs?: number | undefined }
  ) => void
  /** A node's state after it had applied an index. */
  readonly state: (node: string, state: { readonly index: number; readonly hash: string }) => void
  /** The names of the writes of each entry of the log, at the end. */
  readonly judge: (entries: ReadonlyArray<ReadonlyArray<string>>) => void
  readonly readsCount: () => number
}

export const makeLedger = (): Ledger => {
  const writes = new Map<string, Told>()
  const acknowledgements: Array<{ readonly index: number; readonly atMs: number }> = []
  const shownIndexes = new Map<string, number>()
  const hashes = new Map<number, { readonly hash: string; readonly node: string }>()
  let readsCount = 0
  return {
    told: (name, told) => void writes.set(name, told),
    acknowledged: (index, atMs) => void acknowledgements.push({ index, atMs }),
    read: (node, { atMs, index, staleMs }) => {
      readsCount++
      const shown = shownIndexes.get(node) ?? 0
      assert.isAtLeast(index, shown, `${node} shows index ${index} after it has shown ${shown}`)
      shownIndexes.set(node, index)
      if (staleMs === undefined) return
      const missed = acknowledgements.find((each) => each.index > index && each.atMs <= atMs - staleMs)
      assert.isUndefined(missed, `${node} claims an age of ${staleMs} ms at index ${index}, and misses what is older`)
    },
    state: (node, { hash, index }) => {
      const known = hashes.get(index)
      assert.strictEqual(hash, known?.hash ?? hash, `${node} and ${known?.node} differ at index ${index}`)
      hashes.set(index, { hash, node })
    },
    judge: (entries) => {
      const counts = new Map<string, number>()
      for (const name of entries.flat()) counts.set(name, (counts.get(name) ?? 0) + 1)
      for (const [name, told] of writes) {
        const count = counts.get(name) ?? 0
        if (told === "done") assert.strictEqual(count, 1, `${name} was told to be done`)
        else if (told === "unknown") assert.isAtMost(count, 1, `${name} is unknown, and not done twice`)
        else assert.strictEqual(count, 0, `${name} was told to be ${told}`)
      }
    },
    readsCount: () => readsCount
  }
}
