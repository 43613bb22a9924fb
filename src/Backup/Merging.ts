/**
 * Puts one archive of entries in the place of many small ones, so that a store holds a hundredth of the objects that
 * shipments every few seconds would leave there for a month.
 */
import { Effect } from "effect"
import type { ObjectStore } from "./ObjectStore.ts"
import { ship } from "./Ship.ts"
import { type Entries, nameOf } from "./Shipped.ts"
import type { Archivable } from "./TakeArchive.ts"

/** So many archives, which go on from each other, become one. */
export const mergedCount = 100

/**
 * Ships the entries of these archives, and those since, as one, and removes the archives once that is whole and was read
 * back. Gives the new one; undefined if the archives stay: the member does not hold their entries any more, or data of
 * them was erased since, and then only the old archives lead to each moment. Restores accept both at once, so a removal
 * that is cut off harms nothing. Entries of archives that are gone from the store do not come back: nobody needs them.
 */
export const merge = Effect.fnUntraced(
  function* (member: Archivable, store: ObjectStore["Service"], folder: string, archives: ReadonlyArray<Entries>) {
    const names = yield* store.list(folder)
    const held = archives.filter((each) => names.includes(nameOf(each)))
    const [first] = held
    if (first === undefined || held.length < 2) return undefined
    const { afterIndex } = first
    const erasedIndex = Math.max(0, ...Array.from(member.tables.byModel.values(), (table) => table.erasedIndex))
    if (erasedIndex > afterIndex) return undefined
    const merged = yield* ship(member, store, { entriesAfter: afterIndex })
    for (const each of held) if (nameOf(each) !== nameOf(merged)) yield* store.remove(`${folder}/${nameOf(each)}`)
    return merged
  },
  Effect.catchTag("HistoryGone", () => Effect.succeed(undefined))
)
