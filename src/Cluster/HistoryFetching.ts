/**
 * Fetches the history that this node lacks from its peers, in the background: the newest part first, a piece at a time,
 * from one peer after another. A piece becomes files of the history once all of it is here and verified; when a peer dies
 * in the middle, the files that are whole stay, and another peer is asked for the rest.
 */
import { Effect } from "effect"
import type { History, HistoryRange } from "../EventStore/History.ts"
import type { LogEntry } from "../EventStore/LogEntry.ts"
import { LogFailed, type LogStore } from "../EventStore/LogStore.ts"
import type { NodeId } from "../Raft/core/Message.ts"
import { gapsOf, type Holding } from "./HistoryGaps.ts"
import type { PeerHistory } from "./PeerHistory.ts"

/** How often a node looks whether its history has gaps. */
const lookMs = 1_000
/** The pause once no peer could give anything, and the longest one. */
const retryMinMs = 2_000
const retryMaxMs = 60_000
/** The entries of a piece. */
const pieceMaxCount = 20_000

/** Fetches until it is interrupted. */
export const follow = (options: {
  readonly holding: Holding
  readonly history: Pick<History["Service"], "keep">
  /** The peers that are connected and can be asked. */
  readonly peers: () => ReadonlyArray<NodeId>
  readonly peerHistory: Pick<PeerHistory, "heldBy" | "readFrom">
  /** The entry without data that was erased after it. */
  readonly blank: (entry: LogEntry) => LogEntry
  /** Whether the disk has too little room, so that nothing is fetched. */
  readonly isStorageShort: () => boolean
  /** This node holds more than before. */
  readonly onFetched: () => void
}): Effect.Effect<never> => {
  const { blank, history, holding, onFetched, peerHistory, peers } = options
  let turn = 0

  /** Fetches the newest piece of a gap that this peer holds, and returns whether there is one. */
  const fetchFrom = Effect.fnUntraced(function* (peer: NodeId, gap: HistoryRange) {
    const held = yield* peerHistory.heldBy(peer, gap)
    if (held === undefined) return false
    const piece = { ...held, fromIndex: Math.max(held.fromIndex, held.toIndex - pieceMaxCount + 1) }
    const read = checked(peerHistory.readFrom(peer), holding)
    const blanked: typeof read = (range) => Effect.map(read(range), (entries) => entries.map(blank))
    yield* history.keep(piece, blanked).pipe(
      // Files of the piece that are whole are here, though a later one is not.
      Effect.ensuring(Effect.sync(onFetched))
    )
    yield* Effect.logInfo(`Fetched entries ${piece.fromIndex} to ${piece.toIndex} of the history from ${peer}`)
    return true
  })

  /** Asks one peer after another, beginning with another one each time, until one has given a piece. */
  const fetchOne = Effect.fnUntraced(function* (gap: HistoryRange) {
    const asked = peers()
    turn += 1
    for (let at = 0; at < asked.length; at++) {
      const peer = asked[(turn + at) % asked.length]!
      const isFetched = yield* Effect.catch(fetchFrom(peer, gap), ({ message }) =>
        Effect.as(Effect.logWarning(`Cannot fetch history from ${peer}: ${message}`), false)
      )
      if (isFetched) return true
    }
    return false
  })

  return Effect.gen(function* () {
    let pauseMs = retryMinMs
    while (true) {
      yield* Effect.sleep(lookMs)
      const gaps = options.isStorageShort() ? [] : gapsOf(holding)
      let isFetched = gaps.length === 0
      for (const gap of gaps) {
        isFetched = yield* fetchOne(gap)
        if (isFetched) break
      }
      if (!isFetched) yield* Effect.sleep(pauseMs)
      pauseMs = isFetched ? retryMinMs : Math.min(2 * pauseMs, retryMaxMs)
    }
  })
}

/**
 * Holds the entries of a peer against the snapshot behind which this node's log begins: if the terms of one entry agree,
 * so do all entries before it (§5.3).
 */
const checked =
  (read: LogStore["Service"]["read"], { log }: Holding): LogStore["Service"]["read"] =>
  (range) =>
    Effect.flatMap(read(range), (entries): Effect.Effect<ReadonlyArray<LogEntry>, LogFailed> => {
      const last = entries.find(({ index }) => index === log.firstIndex - 1)
      if (last === undefined || last.term === log.previousTerm) return Effect.succeed(entries)
      const message = `entry ${last.index} is of term ${last.term} there, and of term ${log.previousTerm} here`
      return Effect.fail(new LogFailed({ message }))
    })
