/**
 * Decides a command by its idempotency key, before the command itself: a copy gets the answer of the first. Pure; only
 * the deciding node runs it. C17. The rejections here are no entries: the key has one already, or gets none.
 */
import { type Command, keyedOf, type Origin } from "./Command.ts"
import type { CommandResult, Logged } from "./CommandResult.ts"
import type { Rejection } from "./Rejection.ts"
import { isKeyClosed } from "./Session.ts"
import * as Sessions from "./Sessions.ts"
import type { Tables } from "./Tables.ts"

/** The part of a command that its key concerns. Local parts are no command, and have keys all the same. */
type Asked = Origin & { readonly _tag?: Command["_tag"] }

/** The result, if the key alone determines it. */
export const decideKey = (
  tables: Tables,
  command: Asked,
  { index: atIndex, logAgeMs }: { readonly index: number; readonly logAgeMs: number }
): CommandResult | Logged | undefined => {
  const keyed = keyedOf(command)
  if (keyed === undefined) return undefined
  const { key } = keyed
  const dated = Sessions.datedIn(tables, key)
  const known = Sessions.find(tables, keyed, logAgeMs, dated)
  if (known === undefined) {
    if (dated === undefined) {
      const refusal = Sessions.refusalOfNew(tables, keyed, logAgeMs)
      return refusal === undefined ? undefined : refuse(refusal)
    }
    // Its date is an entry that does not exist yet: it would count as new once it is forgotten.
    return dated.afterIndex >= atIndex ? refuse({ _tag: "KeyExpired" }) : undefined
  }
  if (known._tag === "Expired") {
    // No client knows this key, so no copy was done under it: too many entries came first.
    return refuse(command.key === undefined ? { _tag: "KeysExhausted" } : { _tag: "KeyExpired" })
  }
  const isClosed = known._tag === "Kept" && isKeyClosed(known.outcome)
  if (!isClosed && isOther(command, known, key)) return refuse({ _tag: "KeyReused" })
  if (known._tag === "Logged") return { _tag: "Logged", replayedIndex: known.index }
  const { index, outcome } = known
  if (isClosed) return refuse({ _tag: "KeyClosed" })
  return { ...outcome, replayedIndex: index }
}

/** A client that closes a key asks for its outcome, and has no request to compare. */
const isOther = (command: Asked, known: { readonly fingerprint: string | undefined }, key: string): boolean =>
  command._tag !== "Close" && !Sessions.isCopy(known, { ...command, key })

const refuse = (rejection: Rejection): CommandResult => ({ _tag: "Rejected", rejection })
