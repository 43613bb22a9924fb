/**
 * The transactions that this node encoded and has not applied yet, so that it does not decode its own bytes. Pure but
 * for what it owns. `decode(encode(t))` equals `t`, so the leader applies what its followers do (D2).
 */
import type { Entry, Transaction } from "./Transaction.ts"

/** The most that are held. A leader decodes any others when it applies them, as followers do. */
export const ownEntriesMax = 16_384

/** The entries by the index that each was decided for. No map: they come and go with every write (decision 20). */
export interface OwnEntries {
  readonly byIndex: { [index: number]: Entry }
  size: number
}

/** No entries. */
export const make = (): OwnEntries => ({ byIndex: {}, size: 0 })

/** Holds an entry until it is applied. An index is decided once, unless all entries are dropped before. */
export const hold = (own: OwnEntries, index: number, entry: Entry): void => {
  if (own.size >= ownEntriesMax) return
  own.byIndex[index] = entry
  own.size += 1
}

/** The transaction of a committed payload, if this node encoded these very bytes. The index holds nothing afterwards. */
export const take = (
  own: OwnEntries,
  { index, payload }: { readonly index: number; readonly payload: Uint8Array }
): Transaction | undefined => {
  const entry = own.byIndex[index]
  if (entry === undefined) return undefined
  delete own.byIndex[index]
  own.size -= 1
  return entry.payload === payload ? entry.transaction : undefined
}
