/**
 * A key is of one request, whichever of a node's two logs that went to. Each log decides keys by what it knows itself
 * (decideKey.ts); before it is asked, this tells what the other one knows, as far as this node has applied it. What a key
 * was used for on data that another node alone holds is not seen.
 */
import * as AssignedKey from "../Machine/AssignedKey.ts"
import type { Origin } from "../Machine/Command.ts"
import { isKeyClosed } from "../Machine/decideKey.ts"
import type { Rejection } from "../Machine/Rejection.ts"
import * as Sessions from "../Machine/Sessions.ts"
import type { Tables } from "../Machine/Tables.ts"

/** Why a request for a log, of which these are the `own` tables, is refused by what the `other` one knows of its key. */
export const refusedByOther = (
  origin: Origin,
  { other, own }: { readonly own: Tables; readonly other: Tables }
): Rejection | undefined => {
  // An assigned key names its log and its request itself.
  if (origin.key === undefined || AssignedKey.parse(origin.key) !== undefined) return undefined
  if (isKnown(own, origin)) return undefined
  const known = find(other, origin)
  if (known === undefined) return undefined
  return known._tag === "Kept" && isKeyClosed(known.outcome) ? { _tag: "KeyClosed" } : { _tag: "KeyReused" }
}

/** Whether a log knows the key of a request, so that this alone decides. */
export const isKnown = (tables: Tables, origin: Origin): boolean => find(tables, origin) !== undefined

const find = (tables: Tables, { key, principal }: Origin): Sessions.Known | undefined =>
  key === undefined
    ? undefined
    : Sessions.find(tables, principal === undefined ? { key } : { key, principal }, tables.logAgeMs)
