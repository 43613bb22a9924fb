/**
 * A log that keeps its history: compaction copies entries into it before the log removes them, and reads reach back into
 * it. Each layer of LogStore gets this by {@link layer}. The log itself stays bounded, and so does a start, which reads
 * names of history only.
 */
import { Context, Effect, Layer, Semaphore } from "effect"
import { History, isIn } from "./History.ts"
import { LogSpace } from "./LogSpace.ts"
import { type LogCorrupt, type LogFailed, LogStore } from "./LogStore.ts"

const make = Effect.gen(function* () {
  const log = yield* LogStore
  const space = yield* LogSpace
  const history = yield* History
  const keeping = yield* Semaphore.make(1)

  const keepThrough = (throughIndex: number) =>
    Effect.gen(function* () {
      const fromIndex = space.firstIndex()
      if (fromIndex <= throughIndex) yield* history.keep({ fromIndex, toIndex: throughIndex }, log.read)
    })

  /** The entries are durable in the history before the log removes them: a crash leaves them in both, or in the log. */
  const compact = Effect.fnUntraced(function* (options: { readonly throughIndex: number }) {
    const throughIndex = space.removableIndex(options)
    yield* keepThrough(throughIndex)
    // The segments that a write has entered meanwhile stay, since their entries are not kept.
    return yield* space.compact({ throughIndex })
  }, keeping.withPermits(1))

  const read: LogStore["Service"]["read"] = (range) => {
    const inLog = log.read(range)
    const inHistory = Effect.suspend(() => history.read(range))
    return Effect.catchIf(
      inLog,
      (error) => error._tag === "LogFailed" && error.reason === "compacted" && isIn(history.ranges(), range.fromIndex),
      () => inHistory
    )
  }

  return Context.make(LogStore, LogStore.of({ ...log, read })).pipe(
    Context.add(
      LogSpace,
      LogSpace.of({
        ...space,
        compact,
        keep: ({ throughIndex }) => keeping.withPermits(1)(keepThrough(throughIndex)),
        scrub: Effect.raceFirst(space.scrub, history.scrub)
      })
    ),
    Context.add(History, history)
  )
})

/** `log` with `history` behind it. */
export const layer = (
  log: Layer.Layer<LogStore | LogSpace, LogFailed | LogCorrupt>,
  history: Layer.Layer<History, LogFailed>
): Layer.Layer<LogStore | LogSpace | History, LogFailed | LogCorrupt> =>
  Layer.provide(Layer.effectContext(make), Layer.merge(log, history))
