/**
 * Remembers how far a node has applied its log, in a derived file. A committed entry stays where it is: if the log of
 * the cluster still has the entry of that index and term, all entries through it are committed (§5.3, Fig. 3). So the
 * next start applies them at once, before it knows a leader (restoreAtStart.ts). Without the file, or with an old one,
 * it applies them as a leader tells.
 */
import { Effect } from "effect"
import { checksum } from "../../EventStore/Bytes.ts"
import type { DerivedFiles } from "../../EventStore/DerivedFiles.ts"
import type { LogFailed } from "../../EventStore/LogStore.ts"
import { termAt } from "../core/RaftLog.ts"
import type { State } from "../core/State.ts"

/** An applied entry. */
export interface AppliedMark {
  readonly index: number
  readonly term: number
}

/** The mark of one log. */
export interface AppliedMarks {
  /** The last mark; undefined if there is none, or none that is whole. */
  readonly read: Effect.Effect<AppliedMark | undefined, LogFailed>
  /** Replaces the mark. If that fails, the former one stays, which costs the next start time and nothing else. */
  readonly write: (mark: AppliedMark) => Effect.Effect<void>
}

/** A node that remembers nothing. */
export const none: AppliedMarks = { read: Effect.undefined, write: () => Effect.void }

const FILE = "applied"
const sumOf = (text: string): string => checksum(new TextEncoder().encode(text)).toString(16).padStart(8, "0")

/**
 * The file holds the checksum of the rest, the index, the term and the cluster: a flipped bit must not pass for another
 * index, nor a mark for one of another cluster's log.
 */
const encode = ({ index, term }: AppliedMark, clusterId: string): Uint8Array => {
  const text = `${index} ${term} ${clusterId}`
  return new TextEncoder().encode(`${sumOf(text)} ${text}`)
}

const decode = (bytes: Uint8Array, clusterId: string): AppliedMark | undefined => {
  const [, sum, text = ""] = /^([0-9a-f]{8}) (\d{1,16} \d{1,16} .*)$/.exec(new TextDecoder().decode(bytes)) ?? []
  if (sum === undefined || sum !== sumOf(text)) return undefined
  const [index, term, ofCluster] = text.split(" ")
  return ofCluster === clusterId ? { index: Number(index), term: Number(term) } : undefined
}

/** The mark of a cluster's log, in a folder of derived files. */
export const marksIn = (derived: DerivedFiles, clusterId: string): AppliedMarks => ({
  read: Effect.map(derived.read(FILE), (bytes) => (bytes === undefined ? undefined : decode(bytes, clusterId))),
  write: (mark) => Effect.ignore(derived.write(FILE, [encode(mark, clusterId)]))
})

const lookIntervalMs = 1_000
/** So much applied payload makes a new mark due at once. Less waits until nothing more comes. */
const dueBytes = 8 * 1024 * 1024

/** Marks for ever what this node applies, and once more when the scope closes. */
export const follow = Effect.fnUntraced(function* (options: {
  readonly marks: AppliedMarks
  readonly core: Readonly<State>
  readonly appliedIndex: () => number
  /** The payload that was applied in this life. */
  readonly appliedBytes: () => number
}) {
  const { appliedBytes, appliedIndex, core, marks } = options
  let markedIndex = appliedIndex()
  let markedBytes = 0
  let lastIndex = 0
  const mark = Effect.suspend(() => {
    const index = appliedIndex()
    const term = termAt(core.log, index)
    // A snapshot may have replaced the log meanwhile.
    if (term === undefined || index <= markedIndex) return Effect.void
    markedIndex = index
    markedBytes = appliedBytes()
    return marks.write({ index, term })
  })
  const look = Effect.suspend(() => {
    const index = appliedIndex()
    const isIdle = index === lastIndex
    lastIndex = index
    return isIdle || appliedBytes() - markedBytes >= dueBytes ? mark : Effect.void
  })
  yield* Effect.addFinalizer(() => mark)
  return yield* Effect.forever(Effect.andThen(Effect.sleep(lookIntervalMs), look))
}, Effect.scoped)
