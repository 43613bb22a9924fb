/**
 * Asks peers for committed entries that are history, and answers them. An entry travels with the checksums of a block of
 * a history file, read and verified by the peer, and verified here. A peer may be asked for any entries that it has
 * applied, in its log or in its history: HistoryFetching.ts fills gaps by it.
 */
import { Deferred, Effect, Queue, Schema } from "effect"
import type { HistoryRange } from "../EventStore/History.ts"
import {
  decodeBlock,
  decodeEntries,
  encodeBlock,
  encodeEntries,
  historyEntryBytes
} from "../EventStore/HistoryFormat.ts"
import type { LogEntry } from "../EventStore/LogEntry.ts"
import { type LogCorrupt, LogFailed, type LogStore } from "../EventStore/LogStore.ts"
import { rests } from "../EventStore/Pace.ts"
import type { NodeId } from "../Raft/core/Message.ts"
import type { HistoryGiven, HistoryWanted } from "../Raft/peers/PeerMessage.ts"
import type { Transport } from "../Raft/peers/Transport.ts"
import { historyBlockMaxBytes } from "../Raft/peers/Wire.ts"
import type { Feed } from "./Feed.ts"
import { type Holding, heldRanges, newestHeldIn } from "./HistoryGaps.ts"

/** The payload to ask for at once: small compared with the queue of a lane, large compared with a question. */
const askedMaxBytes = 256 * 1024
/** The pause after an answer, so that other work has its turn: at most ten mebibytes a second come. */
const askPauseMs = 25
/** A peer that does not answer within this time is given up. */
const answerTimeoutMs = 5_000
/** The questions that wait to be answered here. The oldest give way: the peer that asked asks again. */
const questionsMaxCount = 16

/** More questions than one life can ask in three years. Their numbers are on the wire as integers of 53 bits. */
const questionsOfLifeMaxCount = 2 ** 32

/** A peer did not answer, does not hold what was asked for, or sent something else. */
export class PeerLacks extends Schema.TaggedError<PeerLacks>()("PeerLacks", { message: Schema.String }) {}

/** The history of peers. */
export interface PeerHistory {
  /** The newest run of entries of a range that a peer holds; undefined if it holds none. */
  readonly heldBy: (peer: NodeId, range: HistoryRange) => Effect.Effect<HistoryRange | undefined, PeerLacks>
  /**
   * Reads committed entries of a peer, as {@link LogStore} reads a log: pass it to `History.keep`. It fails if the peer
   * does not answer, or lacks the first of the entries. Between two reads it pauses.
   */
  readonly readFrom: (peer: NodeId) => LogStore["Service"]["read"]
  /** A peer asks. */
  readonly asked: (from: NodeId, question: HistoryWanted) => void
  /** A peer answers. */
  readonly answered: (from: NodeId, answer: HistoryGiven) => void
  /** Answers peers, one question after another, until it is interrupted. */
  readonly answering: Effect.Effect<never>
}

interface Question {
  readonly peer: NodeId
  readonly answer: Deferred.Deferred<HistoryGiven>
}

export const make = Effect.fnUntraced(function* (options: {
  /** The life of this node: a late answer to a former life matches no question of this one (C23). */
  readonly life: number
  readonly transport: Pick<Transport["Service"], "send">
  readonly holding: Holding
  readonly held: Feed["held"]
}) {
  const { held, holding, life, transport } = options
  const questions = yield* Queue.sliding<{ readonly from: NodeId; readonly question: HistoryWanted }>(questionsMaxCount)
  const waiting = new Map<number, Question>()
  let lastRequestId = life * questionsOfLifeMaxCount

  const ask = Effect.fnUntraced(function* (peer: NodeId, range: HistoryRange, maxBytes: number) {
    const requestId = ++lastRequestId
    const answer = yield* Deferred.make<HistoryGiven>()
    waiting.set(requestId, { peer, answer })
    const { fromIndex, toIndex } = range
    const lacks = (what: string) => Effect.fail(new PeerLacks({ message: `Cannot fetch history of ${peer}: ${what}` }))
    return yield* Effect.suspend(() =>
      transport.send(peer, "bulk", { _tag: "HistoryWanted", requestId, fromIndex, toIndex, maxBytes })
        ? Deferred.await(answer)
        : lacks("it is not connected")
    ).pipe(
      Effect.timeoutOrElse({ duration: answerTimeoutMs, orElse: () => lacks("it does not answer") }),
      Effect.ensuring(Effect.sync(() => waiting.delete(requestId)))
    )
  })

  const entriesOf = Effect.fnUntraced(function* (peer: NodeId, range: HistoryRange) {
    const { block } = yield* ask(peer, range, askedMaxBytes)
    const entries = block.length === 0 ? undefined : unpacked(block, range)
    if (entries === undefined) {
      return yield* new PeerLacks({ message: `${peer} has not sent entry ${range.fromIndex} of the history` })
    }
    yield* Effect.sleep(askPauseMs)
    return entries
  })

  const answerTo = Effect.fnUntraced(function* (from: NodeId, question: HistoryWanted) {
    const { maxBytes, requestId } = question
    const newest = newestHeldIn(heldRanges(holding), question)
    const { fromIndex: heldFromIndex, toIndex: heldToIndex } = newest ?? { fromIndex: 0, toIndex: 0 }
    const entries = maxBytes === 0 ? [] : yield* held({ ...question, maxBytes: Math.min(maxBytes, askedMaxBytes) })
    const block = packed(entries)
    transport.send(from, "bulk", { _tag: "HistoryGiven", requestId, heldFromIndex, heldToIndex, block })
  })

  const answering = Effect.gen(function* () {
    const rest = yield* rests
    return yield* Effect.forever(
      Effect.flatMap(Queue.take(questions), ({ from, question }) =>
        answerTo(from, question).pipe(
          Effect.catch((error: LogFailed | LogCorrupt) =>
            Effect.logWarning(`Cannot read history for ${from}: ${error.message}`)
          ),
          Effect.andThen(rest)
        )
      )
    )
  })

  const peerHistory: PeerHistory = {
    heldBy: (peer, range) =>
      Effect.map(ask(peer, range, 0), ({ heldFromIndex, heldToIndex }) =>
        newestHeldIn([{ fromIndex: heldFromIndex, toIndex: heldToIndex }], range)
      ),
    readFrom: (peer) => (range) =>
      Effect.catchTag(entriesOf(peer, range), "PeerLacks", ({ message }) => Effect.fail(new LogFailed({ message }))),
    asked: (from, question) => void Queue.offerUnsafe(questions, { from, question }),
    answered: (from, answer) => {
      const question = waiting.get(answer.requestId)
      if (question?.peer === from) Deferred.doneUnsafe(question.answer, Effect.succeed(answer))
    },
    answering
  }
  return peerHistory
})

/** Entries as a block; empty if there are none. An entry of the greatest size fits in alone. */
const packed = (entries: ReadonlyArray<LogEntry>): Uint8Array => {
  const fitting: Array<LogEntry> = []
  let rawBytes = 0
  for (const entry of entries) {
    rawBytes += historyEntryBytes(entry)
    if (fitting.length > 0 && rawBytes > historyBlockMaxBytes - 1024) break
    fitting.push(entry)
  }
  const [first] = fitting
  if (first === undefined) return new Uint8Array(0)
  const raw = encodeEntries(fitting)
  return encodeBlock(raw, { rawBytes: raw.length, firstIndex: first.index, count: fitting.length, codec: "plain" }, 0)
}

/** The entries of a block that begin a range; undefined if the bytes are no such block. */
const unpacked = (bytes: Uint8Array, { fromIndex, toIndex }: HistoryRange): ReadonlyArray<LogEntry> | undefined => {
  const block = decodeBlock(bytes, 0)
  if (typeof block === "string" || block.codec !== "plain" || block.firstIndex !== fromIndex) return undefined
  const entries = decodeEntries(block.stored, block)
  if (entries === undefined || entries.length === 0 || entries.at(-1)!.index > toIndex) return undefined
  return entries.some(({ term }, at) => term < (entries[at - 1]?.term ?? 0)) ? undefined : entries
}
