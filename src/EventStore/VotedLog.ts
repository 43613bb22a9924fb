/**
 * The replicated log of a data directory. Its hard state also lies in files of its own (Votes.ts), which are durable
 * before the log's copy; so a start that finds the log damaged still knows the node's term and vote, and the log can be
 * repaired from peers. RepairMark.ts notes that it must be. C1, C26.
 */
import { Context, Effect, Layer } from "effect"
import { type FileLogOptions, layerFile as layerFileLog } from "./FileLog.ts"
import type { LogDamage, LogRepair } from "./FileLogRecovery.ts"
import type { HardState, LogWrite } from "./LogEntry.ts"
import { LogSpace } from "./LogSpace.ts"
import { LogCorrupt, LogFailed, LogStore } from "./LogStore.ts"
import { isMarked, mark, REPAIR_FILE, unmark } from "./RepairMark.ts"
import { isSameHardState, later, openVotes, VOTES_FOLDER } from "./Votes.ts"

/** What a node says about damage to its log. */
export interface Repairable {
  readonly isCovered: LogRepair["isCovered"]
  /** Why peers cannot give back what is lost; undefined if they can. */
  readonly refusal: (damage: LogDamage) => Effect.Effect<string | undefined, LogFailed>
}

export type VotedLogOptions = Omit<FileLogOptions, "directory" | "repair"> & {
  /** The data directory. The log is in its folder `log`. */
  readonly directory: string
  readonly repairable?: Repairable
}

const votesLost = `neither of the files in "${VOTES_FOLDER}" is intact, so the node's vote is lost. Remove the node, and add it again with an empty directory`

const make = Effect.fnUntraced(function* (options: VotedLogOptions) {
  const { directory, repairable, ...others } = options
  const votes = yield* openVotes(directory)
  const wasMarked = yield* isMarked(directory)
  let isRepairing = wasMarked
  if (wasMarked && votes.found === undefined) {
    const message = `Cannot repair the log in "${directory}": ${votesLost}`
    return yield* new LogCorrupt({ message, file: REPAIR_FILE, offset: 0, index: 0 })
  }
  const refuse = ({ corrupt }: LogDamage, why: string) =>
    Effect.fail(new LogCorrupt({ ...corrupt, message: `${corrupt.message}. Peers cannot give it back: ${why}` }))

  const begin = Effect.fnUntraced(function* (damage: LogDamage) {
    if (votes.found === undefined) return yield* refuse(damage, votesLost)
    const refusal = yield* repairable?.refusal(damage) ?? Effect.succeed(undefined)
    if (refusal !== undefined) return yield* refuse(damage, refusal)
    yield* mark(directory, damage.corrupt)
    isRepairing = true
  })
  const repair: LogRepair | undefined =
    repairable === undefined ? undefined : { isCovered: repairable.isCovered, begin }
  const log = yield* Layer.build(
    layerFileLog({ ...others, directory: `${directory}/log`, ...(repair === undefined ? {} : { repair }) })
  )
  const store = Context.get(log, LogStore)
  let failure: LogFailed | undefined

  /** A failed sync may have lost the file's bytes: nothing may rest on a later one. */
  const keep = (hardState: HardState) =>
    Effect.tapError(votes.keep(hardState), ({ message }) =>
      Effect.sync(() => {
        failure = new LogFailed({ message: `The log is poisoned: ${message}` })
      })
    )

  const { recovered } = store
  const hardState = later(recovered.hardState, votes.found) ?? recovered.hardState
  if (hardState.currentTerm > 0) yield* keep(hardState)
  if (!isSameHardState(hardState, recovered.hardState)) yield* store.append([{ hardState, entries: [] }])

  const append = (writes: ReadonlyArray<LogWrite>) =>
    Effect.suspend(() => {
      if (failure !== undefined) return Effect.fail(failure)
      const newest = hardStateOf(writes)
      return newest === undefined ? store.append(writes) : Effect.andThen(keep(newest), store.append(writes))
    })

  return Context.make(
    LogStore,
    LogStore.of({
      ...store,
      recovered: { ...recovered, hardState, ...(isRepairing ? { isRepairing } : {}) },
      append,
      appendNow: (writes, done) =>
        failure === undefined && hardStateOf(writes) === undefined && store.appendNow(writes, done),
      repaired: unmark(directory)
    })
  ).pipe(Context.add(LogSpace, Context.get(log, LogSpace)))
})

const hardStateOf = (writes: ReadonlyArray<LogWrite>): HardState | undefined =>
  writes.findLast(({ hardState }) => hardState !== undefined)?.hardState

/** The replicated log in a data directory. */
export const layerFile = (options: VotedLogOptions): Layer.Layer<LogStore | LogSpace, LogFailed | LogCorrupt> =>
  Layer.effectContext(make(options))
