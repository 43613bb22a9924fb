/**
 * Warns before opaque idempotency keys run out: a client whose key has no room is refused. Only the leader says so, since
 * all members hold the same keys. Dated keys never run out (Sessions.ts).
 */
import { Effect } from "effect"
import { type KeyUsage, keyUsage } from "../Machine/KeyUsage.ts"
import type { Tables } from "../Machine/Tables.ts"

/** Above this part of the bound there is a line. */
export const warnedFrom = 0.8
/** The next line comes only once it was below this part. */
const calmBelow = 0.75
/** A flood of keys takes longer than this to fill the rest. */
export const lookEveryMs = 1_000

/** What to say about the keys now; undefined if there is nothing new. Pure. */
export const newsOf = (
  { count, max }: KeyUsage,
  isWarned: boolean
): { readonly isWarned: boolean; readonly line: string } | undefined => {
  const percent = Math.floor((100 * count) / max)
  const line = `${count} of ${max} opaque idempotency keys are in use (${percent} %)`
  if (!isWarned && count > warnedFrom * max) {
    return { isWarned: true, line: `${line}: at the bound, requests with a new one are refused` }
  }
  return isWarned && count < calmBelow * max ? { isWarned: false, line } : undefined
}

/** Looks for ever. */
export const follow = (options: {
  readonly tables: () => Tables
  readonly isLeader: () => boolean
}): Effect.Effect<never> => {
  let isWarned = false
  const look = Effect.suspend(() => {
    // The next leader says it anew.
    if (!options.isLeader()) isWarned = false
    const news = options.isLeader() ? newsOf(keyUsage(options.tables()).opaque, isWarned) : undefined
    if (news === undefined) return Effect.void
    isWarned = news.isWarned
    return news.isWarned ? Effect.logWarning(news.line) : Effect.logInfo(news.line)
  })
  return Effect.forever(Effect.andThen(Effect.sleep(lookEveryMs), look))
}
