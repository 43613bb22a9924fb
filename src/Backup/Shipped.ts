/**
 * The objects of a scheduled backup, by their names alone: which state each holds, which of them lead to a point in time,
 * and which are not needed any more. Pure. Each object is an archive (EventStore/ArchiveFormat.ts), in a folder that is
 * named by the cluster's id. An archive of entries goes on from an index that earlier archives reach.
 */
import { Result } from "effect"
import type { Point } from "./Replay.ts"

/** A state, or the entries after one. `index` and `timeMs` are those of the last entry in it. */
export type Shipped =
  | { readonly _tag: "Snapshot"; readonly index: number; readonly timeMs: number }
  | { readonly _tag: "Entries"; readonly afterIndex: number; readonly index: number; readonly timeMs: number }

/** The entries after an index. */
export type Entries = Extract<Shipped, { readonly _tag: "Entries" }>

const digits = (value: number): string => String(value).padStart(16, "0")

/** The name of an object in its folder. Names sort by what they hold. */
export const nameOf = (shipped: Shipped): string =>
  shipped._tag === "Snapshot"
    ? `${digits(shipped.index)}-${shipped.timeMs}.snapshot.lithair`
    : `${digits(shipped.index)}-${shipped.timeMs}-after-${digits(shipped.afterIndex)}.entries.lithair`

const pattern = /^(\d{16})-(\d{1,16})(?:-after-(\d{16})\.entries|\.snapshot)\.lithair$/

/** The object of that name; undefined for others. */
export const parseName = (name: string): Shipped | undefined => {
  const [, index, timeMs, afterIndex] = pattern.exec(name) ?? []
  if (index === undefined || timeMs === undefined) return undefined
  const last = { index: Number(index), timeMs: Number(timeMs) }
  return afterIndex === undefined
    ? { _tag: "Snapshot", ...last }
    : { _tag: "Entries", afterIndex: Number(afterIndex), ...last }
}

/** What the names of a folder say. */
export const ofNames = (names: ReadonlyArray<string>): ReadonlyArray<Shipped> =>
  names.flatMap((name) => parseName(name) ?? [])

/** A state and the archives of entries that go on from it, in order. */
export interface Chain {
  readonly snapshot: Extract<Shipped, { readonly _tag: "Snapshot" }>
  readonly entries: ReadonlyArray<Entries>
  /** How far it reaches. */
  readonly index: number
  readonly timeMs: number
}

/** All states, newest first. */
export const snapshotsOf = (all: ReadonlyArray<Shipped>): ReadonlyArray<Chain["snapshot"]> =>
  all
    .flatMap((shipped) => (shipped._tag === "Snapshot" ? [shipped] : []))
    .sort((one, other) => other.index - one.index || other.timeMs - one.timeMs)

const isUpTo = ({ index, timeMs }: Shipped, point: Point | undefined): boolean =>
  point === undefined || (point._tag === "Index" ? index <= point.index : timeMs <= point.timeMs)

/** Whether an archive that reaches so far holds all through the point. Entries of one time may be in two archives. */
const reaches = ({ index, timeMs }: Pick<Shipped, "index" | "timeMs">, point: Point | undefined): boolean =>
  point !== undefined && (point._tag === "Index" ? index >= point.index : timeMs > point.timeMs)

/**
 * Finds the archive that goes on furthest from an index. Thirty days may have a quarter of a million archives, so they are
 * sorted once, and each step is a binary search.
 */
const furthestOf = (all: ReadonlyArray<Shipped>): ((index: number) => Entries | undefined) => {
  const sorted = all
    .flatMap((each) => (each._tag === "Entries" ? [each] : []))
    .sort((one, other) => one.afterIndex - other.afterIndex)
  /** By position, the one that reaches furthest of those up to there. */
  const furthest: Array<Entries> = []
  for (const each of sorted) {
    const before = furthest.at(-1)
    furthest.push(before === undefined || each.index > before.index ? each : before)
  }
  return (index) => {
    let low = 0
    let high = sorted.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (sorted[middle]!.afterIndex <= index) low = middle + 1
      else high = middle
    }
    const found = furthest[low - 1]
    return found !== undefined && found.index > index ? found : undefined
  }
}

const chainFrom = (
  snapshot: Chain["snapshot"],
  furthest: ReturnType<typeof furthestOf>,
  point: Point | undefined
): Chain => {
  const entries: Array<Entries> = []
  let last: Shipped = snapshot
  for (;;) {
    const { index, timeMs }: Shipped = last
    const next = furthest(index)
    if (next === undefined || reaches(last, point)) return { snapshot, entries, index, timeMs }
    entries.push(next)
    last = next
  }
}

/** A state with the entries that lead from it to a point, as far as there are any. */
export const goingOnTo = (snapshot: Chain["snapshot"], all: ReadonlyArray<Shipped>, point: Point | undefined): Chain =>
  chainFrom(snapshot, furthestOf(all), point)

/** The shortest way to a point, the newest one by default; or why there is none. */
export const chainTo = (all: ReadonlyArray<Shipped>, point: Point | undefined): Result.Result<Chain, string> => {
  const snapshots = snapshotsOf(all)
  const snapshot = snapshots.find((each) => isUpTo(each, point))
  if (snapshot === undefined) {
    const oldest = snapshots.at(-1)
    return Result.fail(
      oldest === undefined
        ? "it holds no state"
        : `the oldest state in it is that of index ${oldest.index}, ${new Date(oldest.timeMs).toISOString()}`
    )
  }
  const chain = goingOnTo(snapshot, all, point)
  return point?._tag === "Index" && chain.index < point.index
    ? Result.fail(`from index ${chain.index} on entries are missing`)
    : Result.succeed(chain)
}

/**
 * The longest way to a point: from the oldest state from which entries go on to it without a gap. It leads to the same
 * state as the shortest one, and passes through all that is known of the time before.
 */
export const longestTo = (all: ReadonlyArray<Shipped>, point: Point | undefined): Result.Result<Chain, string> =>
  Result.map(chainTo(all, point), (shortest) => {
    const furthest = furthestOf(all)
    for (const snapshot of snapshotsOf(all).toReversed()) {
      if (snapshot.index >= shortest.snapshot.index) return shortest
      const chain = chainFrom(snapshot, furthest, point)
      if (chain.index >= shortest.index || reaches(chain, point)) return chain
    }
    return shortest
  })

/** All states, newest first, with how far the entries go on from each: a chain is made when it is asked for. */
export function* chainsOf(all: ReadonlyArray<Shipped>): Generator<Chain, void> {
  const furthest = furthestOf(all)
  for (const snapshot of snapshotsOf(all)) yield chainFrom(snapshot, furthest, undefined)
}

/**
 * The entry after which a leader goes on to ship: the last one that the newest state leads to. If entries before that
 * state are missing, it is the last one before them, so that they come too. 0 if there is no state.
 */
export const goingOnAfter = (all: ReadonlyArray<Shipped>): number => {
  const [newest, before] = chainsOf(all)
  if (newest === undefined) return 0
  return before !== undefined && before.index < newest.snapshot.index ? before.index : newest.index
}

/** The last entry that any object names. */
export const lastOf = (all: ReadonlyArray<Shipped>): { readonly index: number; readonly timeMs: number } =>
  all.reduce(
    (last, { index, timeMs }) => ({ index: Math.max(last.index, index), timeMs: Math.max(last.timeMs, timeMs) }),
    { index: 0, timeMs: 0 }
  )

/**
 * What is not needed to go back to any moment from `fromMs` on. The newest state from before that moment stays, with all
 * that follows: so a state is removed only if a newer one is there.
 */
export const unneeded = (all: ReadonlyArray<Shipped>, fromMs: number): ReadonlyArray<Shipped> => {
  const first = snapshotsOf(all).find(({ timeMs }) => timeMs <= fromMs)
  if (first === undefined) return []
  return all.filter((each) => (each._tag === "Snapshot" ? each.index < first.index : each.index <= first.index))
}
