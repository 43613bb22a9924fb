/**
 * A key belongs to one request, in whichever of a node's two logs. Each log decides keys by its own memory
 * (decideKey.ts). Before that, this file checks the other log, as far as this node has applied it. It cannot see keys
 * that were used on another node's own data.
 */
import type { Origin } from "../Machine/Command.ts"
import * as DatedKey from "../Machine/DatedKey.ts"
import type { Rejection } from "../Machine/Rejection.ts"
import { isKeyClosed } from "../Machine/Session.ts"
import * as Sessions from "../Machine/Sessions.ts"
import type { Tables } from "../Machine/Tables.ts"

/** The rejection of a request for the log with the `own` tables, if the log with the `other` tables knows its key. */
export const refusedByOther = (
  origin: Origin,
  { other, own }: { readonly own: Tables; readonly other: Tables }
): Rejection | undefined => {
  // A dated key names its request.
  if (origin.key === undefined || DatedKey.parse(origin.key) !== undefined) return undefined
  if (isKnown(own, origin)) return undefined
  const known = find(other, origin)
  if (known === undefined) return undefined
  return known._tag === "Kept" && isKeyClosed(known.outcome) ? { _tag: "KeyClosed" } : { _tag: "KeyReused" }
}

/** Whether a log knows the key of a request. */
export const isKnown = (tables: Tables, origin: Origin): boolean => find(tables, origin) !== undefined

const find = (tables: Tables, { key, principal }: Origin): Sessions.Known | undefined =>
  key === undefined
    ? undefined
    : Sessions.find(tables, principal === undefined ? { key } : { key, principal }, tables.logAgeMs)
