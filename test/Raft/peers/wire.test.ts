/** The bytes between peers: every message comes back as it went, and no other bytes pass for one. */
import { isDeepStrictEqual } from "node:util"
import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { makeFrameEncoder } from "../../../src/Raft/peers/FrameEncoder.ts"
import type { PeerMessage } from "../../../src/Raft/peers/PeerMessage.ts"
import { decode, encode, encodeFrame, forwardMaxCount, payloadMaxBytes } from "../../../src/Raft/peers/Wire.ts"

const N = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER }))
const Entry = Schema.Struct({
  index: N,
  term: N,
  type: Schema.Literals(["noop", "transaction", "configuration"]),
  payload: Schema.Uint8Array
})
const AppendResult = Schema.TaggedUnion({ Matched: { matchIndex: N }, Conflict: { conflictTerm: N, firstIndex: N } })
const Any = Schema.TaggedUnion({
  RequestVote: { term: N, preVote: Schema.Boolean, lastLogIndex: N, lastLogTerm: N, transfer: Schema.Boolean },
  RequestVoteReply: { term: N, preVote: Schema.Boolean, granted: Schema.Boolean },
  AppendEntries: { term: N, prevLogIndex: N, prevLogTerm: N, entries: Schema.Array(Entry), leaderCommit: N },
  AppendEntriesReply: {
    term: N,
    prevLogIndex: N,
    result: AppendResult
  },
  Heartbeat: { term: N, leaderCommit: N, matchIndex: N, lastContactMs: Schema.UndefinedOr(N), readNumber: N },
  HeartbeatReply: { term: N, readNumber: N },
  ReadIndex: { term: N, life: N, requestId: N },
  ReadIndexReply: { term: N, life: N, requestId: N, readIndex: Schema.UndefinedOr(N) },
  TimeoutNow: { term: N },
  InstallSnapshot: {
    term: N,
    snapshotIndex: N,
    snapshotTerm: N,
    configuration: Schema.Uint8Array,
    totalBytes: N,
    digest: Schema.Literals(["", "0a", "ff00"]),
    offset: N,
    chunk: Schema.Uint8Array
  },
  InstallSnapshotReply: { term: N, snapshotIndex: N, receivedBytes: N, installed: Schema.Boolean },
  Forward: { life: N, requestIds: Schema.Array(N), body: Schema.Uint8Array },
  ForwardReply: { life: N, requestIds: Schema.Array(N), body: Schema.Uint8Array },
  Form: { clusterId: Schema.String, entry: Entry },
  FormReply: { clusterId: Schema.String, adopted: Schema.Boolean },
  NotAMember: { configurationIndex: N },
  StateReport: {
    term: N,
    round: N,
    index: N,
    definition: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 2 ** 32 - 1 })),
    hash: Schema.Literals(["", "0a", "ff00"])
  },
  SnapshotWanted: { atLeastIndex: N },
  HistoryWanted: {
    requestId: N,
    fromIndex: N,
    toIndex: N,
    maxBytes: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 2 ** 32 - 1 }))
  },
  HistoryGiven: { requestId: N, heldFromIndex: N, heldToIndex: N, block: Schema.Uint8Array },
  Repair: { term: N, nonce: N, answer: Schema.UndefinedOr(Schema.Struct({ prevLogIndex: N, result: AppendResult })) },
  RepairReply: { term: N, nonce: N, throughIndex: N }
})

const entry = (payload: Uint8Array) => ({ index: 7, term: 2, type: "transaction" as const, payload })

/** One of each kind, with every variant that changes the layout: what the damage tests cut and flip. */
const samples: ReadonlyArray<PeerMessage> = [
  {
    _tag: "RequestVote",
    term: 3,
    preVote: true,
    lastLogIndex: Number.MAX_SAFE_INTEGER,
    lastLogTerm: 2 ** 32,
    transfer: false
  },
  { _tag: "RequestVoteReply", term: 3, preVote: false, granted: true },
  {
    _tag: "AppendEntries",
    term: 3,
    prevLogIndex: 6,
    prevLogTerm: 2,
    entries: [entry(new Uint8Array([0, 255, 1])), entry(new Uint8Array(0))],
    leaderCommit: 5
  },
  { _tag: "AppendEntriesReply", term: 3, prevLogIndex: 6, result: { _tag: "Matched", matchIndex: 8 } },
  {
    _tag: "AppendEntriesReply",
    term: 3,
    prevLogIndex: 6,
    result: { _tag: "Conflict", conflictTerm: 1, firstIndex: 2 }
  },
  { _tag: "Heartbeat", term: 3, leaderCommit: 5, matchIndex: 4, lastContactMs: 12, readNumber: 9 },
  { _tag: "Heartbeat", term: 3, leaderCommit: 5, matchIndex: 4, lastContactMs: undefined, readNumber: 9 },
  { _tag: "HeartbeatReply", term: 3, readNumber: 9 },
  { _tag: "TimeoutNow", term: 3 },
  {
    _tag: "InstallSnapshot",
    term: 3,
    snapshotIndex: 9,
    snapshotTerm: 2,
    configuration: new Uint8Array([123, 125]),
    totalBytes: 7,
    digest: "0aff",
    offset: 4,
    chunk: new Uint8Array([1, 2, 3])
  },
  { _tag: "InstallSnapshotReply", term: 3, snapshotIndex: 9, receivedBytes: 4, installed: false },
  { _tag: "ReadIndex", term: 3, life: 1, requestId: 4 },
  { _tag: "ReadIndexReply", term: 3, life: 1, requestId: 4, readIndex: undefined },
  { _tag: "ReadIndexReply", term: 3, life: 1, requestId: 4, readIndex: 5 },
  { _tag: "Forward", life: 1, requestIds: [1], body: new Uint8Array([1, 2, 3]) },
  { _tag: "ForwardReply", life: 1, requestIds: [1], body: new Uint8Array([4]) },
  { _tag: "Form", clusterId: "héé-\uFFFD", entry: { ...entry(new Uint8Array([9])), type: "configuration" } },
  { _tag: "FormReply", clusterId: "c", adopted: true },
  { _tag: "NotAMember", configurationIndex: 9 },
  { _tag: "StateReport", term: 3, round: 4, index: 5, definition: 2, hash: "0a" },
  { _tag: "SnapshotWanted", atLeastIndex: 6 },
  { _tag: "HistoryWanted", requestId: 3, fromIndex: 7, toIndex: 2 ** 40, maxBytes: 262_144 },
  { _tag: "HistoryGiven", requestId: 3, heldFromIndex: 6, heldToIndex: 2 ** 40, block: new Uint8Array([1, 255]) },
  { _tag: "Repair", term: 3, nonce: 4, answer: undefined },
  { _tag: "Repair", term: 3, nonce: 4, answer: { prevLogIndex: 6, result: { _tag: "Matched", matchIndex: 8 } } },
  {
    _tag: "Repair",
    term: 3,
    nonce: 4,
    answer: { prevLogIndex: 6, result: { _tag: "Conflict", conflictTerm: 1, firstIndex: 2 } }
  },
  { _tag: "RepairReply", term: 3, nonce: 4, throughIndex: 2 ** 40 }
]

describe("Wire", () => {
  it.prop("decode gives back what encode was given, whatever the message", [Any], ([message]) => {
    const wellFormed = !("clusterId" in message) || message.clusterId.isWellFormed()
    if (wellFormed) assert.deepStrictEqual(decode(encode(message)), message)
  })

  it("each kind of message survives the wire", () => {
    for (const message of samples) assert.deepStrictEqual(decode(encode(message)), message)
  })

  it("a message survives the wire wherever the writer's buffer has to grow", () => {
    for (let length = 0; length < 1100; length++) {
      const body = new Uint8Array(length).fill(7)
      const entries = [entry(body), entry(body)]
      for (const message of [
        { _tag: "Forward", life: 1, requestIds: [length], body },
        { _tag: "AppendEntries", term: 1, prevLogIndex: 1, prevLogTerm: 1, entries, leaderCommit: 1 }
      ] satisfies ReadonlyArray<PeerMessage>) {
        assert.isTrue(isDeepStrictEqual(decode(encode(message)), message), `${message._tag} of ${length}`)
      }
    }
  })

  it("a frame has its length ahead, and the same bytes behind it", () => {
    for (const message of samples) {
      const frame = encodeFrame(message)
      const body = encode(message)
      assert.strictEqual(new DataView(frame.buffer, frame.byteOffset).getUint32(0), body.length)
      assert.deepStrictEqual(frame.slice(4), body)
    }
  })

  it("the same entries for two peers are encoded once, and other ones are not mistaken for them", async () => {
    const frameOf = makeFrameEncoder()
    const entries = [entry(new Uint8Array([1])), entry(new Uint8Array([2]))]
    const first = { _tag: "AppendEntries", term: 3, prevLogIndex: 6, prevLogTerm: 2, entries, leaderCommit: 5 } as const
    const frame = frameOf(first)
    assert.deepStrictEqual(frame.slice(4), encode(first))
    assert.strictEqual(frameOf({ ...first, entries: [...entries] }), frame)
    for (const other of [
      { ...first, term: 4 },
      { ...first, prevLogIndex: 5 },
      { ...first, prevLogTerm: 1 },
      { ...first, leaderCommit: 6 },
      { ...first, entries: entries.slice(1) },
      { ...first, entries: [entries[0]!, entry(new Uint8Array([3]))] }
    ]) {
      assert.deepStrictEqual(frameOf(other).slice(4), encode(other))
      frameOf(first)
    }
    // It keeps no entries in memory longer than for one turn.
    const last = frameOf(first)
    await Promise.resolve()
    assert.notStrictEqual(frameOf(first), last)
  })

  it("a frame cut at any byte is refused, with the field and the offset named", () => {
    for (const message of samples) {
      const frame = encode(message)
      for (let length = 0; length < frame.length; length++) {
        const decoded = decode(frame.subarray(0, length))
        assert.strictEqual(decoded._tag, "Malformed", `${message._tag} cut at ${length}`)
        if (decoded._tag === "Malformed") {
          assert.isTrue(decoded.offset <= length && decoded.field !== "" && decoded.found !== "")
        }
      }
    }
  })

  it("a frame with any bit flipped is refused, or is exactly the bytes of another message", () => {
    for (const message of samples) {
      const frame = encode(message)
      for (let bit = 0; bit < frame.length * 8; bit++) {
        const damaged = frame.slice()
        damaged[bit >> 3]! ^= 1 << (bit & 7)
        const decoded = decode(damaged)
        if (decoded._tag !== "Malformed") assert.deepStrictEqual(encode(decoded), damaged)
      }
    }
  })

  it("bytes after the last field are refused", () => {
    for (const message of samples) {
      const frame = encode(message)
      const longer = new Uint8Array(frame.length + 1)
      longer.set(frame)
      assert.deepStrictEqual(decode(longer), {
        _tag: "Malformed",
        field: "end",
        offset: frame.length,
        found: "1 bytes after the last field"
      })
    }
  })

  it("more requests than may share a frame are refused by their count alone", () => {
    const frame = encode({ _tag: "Forward", life: 1, requestIds: [1], body: new Uint8Array(0) })
    new DataView(frame.buffer, frame.byteOffset).setUint32(9, forwardMaxCount + 1)
    const found = `a count of ${forwardMaxCount + 1} past the limit of ${forwardMaxCount}`
    assert.deepInclude(decode(frame), { _tag: "Malformed", field: "requestIds", found })
  })

  it("a payload past its limit is refused by its length alone", () => {
    const frame = encode({ _tag: "Forward", life: 1, requestIds: [1], body: new Uint8Array(0) })
    new DataView(frame.buffer, frame.byteOffset).setUint32(21, payloadMaxBytes + 1)
    assert.deepStrictEqual(decode(frame), {
      _tag: "Malformed",
      field: "body",
      offset: 21,
      found: `a length of ${payloadMaxBytes + 1} past the limit of ${payloadMaxBytes}`
    })
  })

  it("a payload is the very bytes of the frame, not a copy (an entry's bytes are encoded once)", () => {
    const frame = encode({ _tag: "Forward", life: 1, requestIds: [1], body: new Uint8Array([1, 2, 3]) })
    const decoded = decode(frame)
    assert.strictEqual(decoded._tag === "Forward" ? decoded.body.buffer : undefined, frame.buffer)
  })
})
