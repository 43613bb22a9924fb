/**
 * The transactions that this node encoded and has not applied yet, so that it does not decode its own bytes. Pure but
 * for what it owns. `decode(encode(t))` equals `t`, so the leader applies what its followers do (D2).
 */
import type { Entry, Transaction } from "./Transaction.ts"

/** The most that are held. A leader decodes any others when it applies them, as followers do. */
export const ownEntriesMax = 16_384

/** By the index that the entry was decided for. */
export type OwnEntries = Map<number, Entry>

/** Holds an entry until it is applied. */
export const hold = (own: OwnEntries, index: number, entry: Entry): void => {
  if (own.size < ownEntriesMax) own.set(index, entry)
}

/** The transaction of a committed payload, if this node encoded these very bytes. The index holds nothing afterwards. */
export const take = (
  own: OwnEntries,
  { index, payload }: { readonly index: number; readonly payload: Uint8Array }
): Transaction | undefined => {
  const entry = own.get(index)
  if (entry === undefined) return undefined
  own.delete(index)
  return entry.payload === payload ? entry.transaction : undefined
}
