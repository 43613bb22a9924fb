/**
 * The bytes of messages between peers. PeerSockets.ts has the connections that carry them. Pure.
 * A frame is a tag (u8) and its fields in the order below; numbers are big endian, u53 in eight bytes.
 */
import type { EntryType, LogEntry } from "../../EventStore/LogEntry.ts"
import { type AppendEntriesReply, entriesMaxCount } from "../core/Message.ts"
import { ByteReader, ByteWriter, type Malformed } from "./Bytes.ts"
import type { PeerMessage } from "./PeerMessage.ts"
import { makeFrame } from "./WireFrame.ts"

/** An entry is at most 8 MiB (D6); its payload is bounded by the same number. */
export const payloadMaxBytes = 8 * 1024 * 1024

/** A forwarded command becomes at most one entry; its answer carries no more. Small ones share a body of this size. */
export const forwardBodyMaxBytes = 8 * 1024 * 1024

/** The limit on requests, or on answers, that share a frame. */
export const forwardMaxCount = 4096

/** Past any append batch (1 MiB) but for one maximal entry: a frame past it is refused before it is read. */
export const frameMaxBytes = 16 * 1024 * 1024

/** A chunk of a snapshot that is sent: small enough that other messages of its lane do not wait long. */
export const snapshotChunkMaxBytes = 1024 * 1024

/** A block of history: some entries, or a single maximal one, with their heads. */
export const historyBlockMaxBytes = payloadMaxBytes + 1024 * 1024

const configurationMaxBytes = 1024 * 1024
const digestMaxBytes = 128
const stateHashMaxBytes = 128
const clusterIdMaxBytes = 256

const tags = {
  RequestVote: 1,
  RequestVoteReply: 2,
  AppendEntries: 3,
  AppendEntriesReply: 4,
  Heartbeat: 5,
  HeartbeatReply: 6,
  ReadIndex: 7,
  ReadIndexReply: 8,
  Forward: 9,
  ForwardReply: 10,
  Form: 11,
  FormReply: 12,
  TimeoutNow: 13,
  InstallSnapshot: 14,
  InstallSnapshotReply: 15,
  NotAMember: 16,
  StateReport: 17,
  SnapshotWanted: 18,
  HistoryWanted: 19,
  HistoryGiven: 20,
  Repair: 21,
  RepairReply: 22
} as const satisfies Record<PeerMessage["_tag"], number>

const entryTypes: ReadonlyArray<EntryType> = ["noop", "transaction", "configuration"]

/** One message as one frame. */
export const encode = (message: PeerMessage): Uint8Array<ArrayBuffer> =>
  writeMessage(new ByteWriter(expectedBytesOf(message)), message).finish()

/** One message as one frame with its length ahead, as it goes out on a stream. */
export const encodeFrame = (message: PeerMessage): Uint8Array<ArrayBuffer> =>
  makeFrame(expectedBytesOf(message), (to) => writeMessage(to, message))

/** About what a message takes: exact for those that carry entries or bodies, so that these are copied once. */
const expectedBytesOf = (message: PeerMessage): number => {
  switch (message._tag) {
    case "AppendEntries":
      return message.entries.reduce((sum, { payload }) => sum + 21 + payload.length, 37)
    case "Forward":
    case "ForwardReply":
      return 17 + 8 * message.requestIds.length + message.body.length
    case "InstallSnapshot":
      return 256 + message.configuration.length + message.chunk.length
    case "Form":
      return 256 + message.entry.payload.length
    case "HistoryGiven":
      return 64 + message.block.length
    default:
      return 64
  }
}

const writeMessage = (to: ByteWriter, message: PeerMessage): ByteWriter =>
  writeFields(to.u8(tags[message._tag]), message)

/** The message in a frame, or what is wrong with it and where. Never throws, whatever the bytes. */
export const decode = (frame: Uint8Array): PeerMessage | Malformed => {
  const from = new ByteReader(frame)
  if (frame.length > frameMaxBytes) from.fail("frame", `${frame.length} bytes past the limit of ${frameMaxBytes}`)
  const message = readMessage(from)
  from.end()
  return from.failure ?? message
}

const writeFields = (to: ByteWriter, message: PeerMessage): ByteWriter => {
  switch (message._tag) {
    case "RequestVote":
      to.u53(message.term).u8(Number(message.preVote)).u53(message.lastLogIndex).u53(message.lastLogTerm)
      return to.u8(Number(message.transfer))
    case "RequestVoteReply":
      return to.u53(message.term).u8(Number(message.preVote)).u8(Number(message.granted))
    case "AppendEntries": {
      to.u53(message.term).u53(message.prevLogIndex).u53(message.prevLogTerm).u53(message.leaderCommit)
      to.u32(message.entries.length)
      for (const entry of message.entries) writeEntry(to, entry)
      return to
    }
    case "AppendEntriesReply":
      return writeAppendResult(to.u53(message.term), message)
    case "Heartbeat":
      to.u53(message.term).u53(message.leaderCommit).u53(message.matchIndex).u53(message.readNumber)
      return message.lastContactMs === undefined ? to.u8(0) : to.u8(1).u53(message.lastContactMs)
    case "HeartbeatReply":
      return to.u53(message.term).u53(message.readNumber)
    case "ReadIndex":
      return to.u53(message.term).u53(message.life).u53(message.requestId)
    case "ReadIndexReply":
      to.u53(message.term).u53(message.life).u53(message.requestId)
      return message.readIndex === undefined ? to.u8(0) : to.u8(1).u53(message.readIndex)
    case "Forward":
    case "ForwardReply":
      to.u53(message.life).u32(message.requestIds.length)
      for (const requestId of message.requestIds) to.u53(requestId)
      return to.blob(message.body)
    case "Form":
      return writeEntry(to.string(message.clusterId), message.entry)
    case "FormReply":
      return to.string(message.clusterId).u8(Number(message.adopted))
    case "TimeoutNow":
      return to.u53(message.term)
    case "InstallSnapshot":
      to.u53(message.term).u53(message.snapshotIndex).u53(message.snapshotTerm).blob(message.configuration)
      return to.u53(message.totalBytes).string(message.digest).u53(message.offset).blob(message.chunk)
    case "InstallSnapshotReply":
      to.u53(message.term).u53(message.snapshotIndex).u53(message.receivedBytes)
      return to.u8(Number(message.installed))
    case "NotAMember":
      return to.u53(message.configurationIndex)
    case "StateReport":
      to.u53(message.term).u53(message.round).u53(message.index)
      return to.u32(message.definition).string(message.hash)
    case "SnapshotWanted":
      return to.u53(message.atLeastIndex)
    case "HistoryWanted":
      return to.u53(message.requestId).u53(message.fromIndex).u53(message.toIndex).u32(message.maxBytes)
    case "HistoryGiven":
      return to.u53(message.requestId).u53(message.heldFromIndex).u53(message.heldToIndex).blob(message.block)
    case "Repair":
      to.u53(message.term).u53(message.nonce)
      return message.answer === undefined ? to.u8(0) : writeAppendResult(to.u8(1), message.answer)
    case "RepairReply":
      return to.u53(message.term).u53(message.nonce).u53(message.throughIndex)
  }
}

type AppendResult = Pick<AppendEntriesReply, "prevLogIndex" | "result">

const writeAppendResult = (to: ByteWriter, { prevLogIndex, result }: AppendResult): ByteWriter => {
  to.u53(prevLogIndex)
  return result._tag === "Matched"
    ? to.u8(0).u53(result.matchIndex)
    : to.u8(1).u53(result.conflictTerm).u53(result.firstIndex)
}

const writeEntry = (to: ByteWriter, entry: LogEntry): ByteWriter =>
  to.u53(entry.index).u53(entry.term).u8(entryTypes.indexOf(entry.type)).blob(entry.payload)

/** Whatever it returns holds only if `from` has not failed. */
const readMessage = (from: ByteReader): PeerMessage | Malformed => {
  const tag = from.u8("tag")
  switch (tag) {
    case tags.RequestVote:
      return {
        _tag: "RequestVote",
        term: from.u53("term"),
        preVote: from.boolean("preVote"),
        lastLogIndex: from.u53("lastLogIndex"),
        lastLogTerm: from.u53("lastLogTerm"),
        transfer: from.boolean("transfer")
      }
    case tags.RequestVoteReply:
      return {
        _tag: "RequestVoteReply",
        term: from.u53("term"),
        preVote: from.boolean("preVote"),
        granted: from.boolean("granted")
      }
    case tags.AppendEntries: {
      const term = from.u53("term")
      const prevLogIndex = from.u53("prevLogIndex")
      const prevLogTerm = from.u53("prevLogTerm")
      const leaderCommit = from.u53("leaderCommit")
      return { _tag: "AppendEntries", term, prevLogIndex, prevLogTerm, leaderCommit, entries: readEntries(from) }
    }
    case tags.AppendEntriesReply:
      return { _tag: "AppendEntriesReply", term: from.u53("term"), ...readAppendResult(from) }
    case tags.Heartbeat:
      return {
        _tag: "Heartbeat",
        term: from.u53("term"),
        leaderCommit: from.u53("leaderCommit"),
        matchIndex: from.u53("matchIndex"),
        readNumber: from.u53("readNumber"),
        lastContactMs: from.boolean("lastContactMs") ? from.u53("lastContactMs") : undefined
      }
    case tags.HeartbeatReply:
      return { _tag: "HeartbeatReply", term: from.u53("term"), readNumber: from.u53("readNumber") }
    case tags.ReadIndex:
      return {
        _tag: "ReadIndex",
        term: from.u53("term"),
        life: from.u53("life"),
        requestId: from.u53("requestId")
      }
    case tags.ReadIndexReply:
      return {
        _tag: "ReadIndexReply",
        term: from.u53("term"),
        life: from.u53("life"),
        requestId: from.u53("requestId"),
        readIndex: from.boolean("readIndex") ? from.u53("readIndex") : undefined
      }
    case tags.Forward:
      return { _tag: "Forward", ...readForwarded(from) }
    case tags.ForwardReply:
      return { _tag: "ForwardReply", ...readForwarded(from) }
    case tags.Form:
      return { _tag: "Form", clusterId: from.string("clusterId", clusterIdMaxBytes), entry: readEntry(from) }
    case tags.FormReply:
      return {
        _tag: "FormReply",
        clusterId: from.string("clusterId", clusterIdMaxBytes),
        adopted: from.boolean("adopted")
      }
    case tags.TimeoutNow:
      return { _tag: "TimeoutNow", term: from.u53("term") }
    case tags.InstallSnapshot:
      return {
        _tag: "InstallSnapshot",
        term: from.u53("term"),
        snapshotIndex: from.u53("snapshotIndex"),
        snapshotTerm: from.u53("snapshotTerm"),
        configuration: from.blob("configuration", configurationMaxBytes),
        totalBytes: from.u53("totalBytes"),
        digest: from.string("digest", digestMaxBytes),
        offset: from.u53("offset"),
        chunk: from.blob("chunk", snapshotChunkMaxBytes)
      }
    case tags.InstallSnapshotReply:
      return {
        _tag: "InstallSnapshotReply",
        term: from.u53("term"),
        snapshotIndex: from.u53("snapshotIndex"),
        receivedBytes: from.u53("receivedBytes"),
        installed: from.boolean("installed")
      }
    case tags.NotAMember:
      return { _tag: "NotAMember", configurationIndex: from.u53("configurationIndex") }
    case tags.StateReport:
      return {
        _tag: "StateReport",
        term: from.u53("term"),
        round: from.u53("round"),
        index: from.u53("index"),
        definition: from.u32("definition"),
        hash: from.string("hash", stateHashMaxBytes)
      }
    case tags.SnapshotWanted:
      return { _tag: "SnapshotWanted", atLeastIndex: from.u53("atLeastIndex") }
    case tags.HistoryWanted:
      return {
        _tag: "HistoryWanted",
        requestId: from.u53("requestId"),
        fromIndex: from.u53("fromIndex"),
        toIndex: from.u53("toIndex"),
        maxBytes: from.u32("maxBytes")
      }
    case tags.HistoryGiven:
      return {
        _tag: "HistoryGiven",
        requestId: from.u53("requestId"),
        heldFromIndex: from.u53("heldFromIndex"),
        heldToIndex: from.u53("heldToIndex"),
        block: from.blob("block", historyBlockMaxBytes)
      }
    case tags.Repair:
      return {
        _tag: "Repair",
        term: from.u53("term"),
        nonce: from.u53("nonce"),
        answer: from.boolean("answer") ? readAppendResult(from) : undefined
      }
    case tags.RepairReply:
      return {
        _tag: "RepairReply",
        term: from.u53("term"),
        nonce: from.u53("nonce"),
        throughIndex: from.u53("throughIndex")
      }
    default:
      return from.fail("tag", `the unknown tag ${tag}`, 0)
  }
}

const readForwarded = (from: ByteReader) => ({
  life: from.u53("life"),
  requestIds: readRequestIds(from),
  body: from.blob("body", forwardBodyMaxBytes)
})

const readRequestIds = (from: ByteReader): ReadonlyArray<number> => {
  const count = from.u32("requestIds")
  if (count > forwardMaxCount) from.fail("requestIds", `a count of ${count} past the limit of ${forwardMaxCount}`)
  const requestIds: Array<number> = []
  for (let i = 0; i < count && from.failure === undefined; i++) requestIds.push(from.u53("requestId"))
  return requestIds
}

const readEntries = (from: ByteReader): ReadonlyArray<LogEntry> => {
  const count = from.u32("entries")
  if (count > entriesMaxCount) from.fail("entries", `a count of ${count} past the limit of ${entriesMaxCount}`)
  const entries: Array<LogEntry> = []
  // Stopping at the first failure keeps a lying count from costing more than the bytes that came with it.
  for (let i = 0; i < count && from.failure === undefined; i++) entries.push(readEntry(from))
  return entries
}

const readEntry = (from: ByteReader): LogEntry => {
  const index = from.u53("entry.index")
  const term = from.u53("entry.term")
  const code = from.u8("entry.type")
  const type = entryTypes[code]
  if (type === undefined) from.fail("entry.type", `the unknown entry type ${code}`)
  return { index, term, type: type ?? "noop", payload: from.blob("entry.payload", payloadMaxBytes) }
}

const readAppendResult = (from: ByteReader): AppendResult => ({
  prevLogIndex: from.u53("prevLogIndex"),
  result: from.boolean("result")
    ? { _tag: "Conflict", conflictTerm: from.u53("conflictTerm"), firstIndex: from.u53("firstIndex") }
    : { _tag: "Matched", matchIndex: from.u53("matchIndex") }
})
