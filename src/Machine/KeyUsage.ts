/** How many idempotency keys the tables hold, of how many. Pure. For operators; Sessions.ts decides what has room. */
import { isFormatActive, keyBuckets } from "./Format.ts"
import { keyLimitsOf } from "./Limits.ts"
import type { Tables } from "./Tables.ts"

/** How many keys of a kind are held, and how many may be. */
export interface KeyUsage {
  readonly count: number
  readonly max: number
}

/**
 * The keys of each kind. A new opaque key beyond its bound is refused. Dated keys beyond theirs are forgotten, the oldest
 * first.
 */
export const keyUsage = (tables: Tables): { readonly opaque: KeyUsage; readonly dated: KeyUsage } => {
  const { assignedKeys, datedKeys, limits, sessions } = tables
  const opaqueCount = sessions.size
  if (!isFormatActive(tables, keyBuckets)) {
    const fullCount = assignedKeys.full.reduce((count, { indexes }) => count + indexes.size, 0)
    return {
      opaque: { count: opaqueCount, max: limits.keysMax },
      dated: {
        count: fullCount + assignedKeys.openCount,
        max: limits.generationSize * (limits.generationsMax + 1)
      }
    }
  }
  const { datedKeysMax, opaqueKeysMax } = keyLimitsOf(limits)
  return {
    opaque: { count: opaqueCount, max: opaqueKeysMax },
    dated: { count: datedKeys.count, max: datedKeysMax }
  }
}
