/** Messages and replies in the log of a cluster: what is one entry, who may answer, and what a runner is given. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Option } from "effect"
import { type MessageStorage, Snowflake } from "effect/cluster"
import { Member } from "../../src/Cluster/Member.ts"
import { layerForgetting } from "../../src/EffectCluster/Forgetting.ts"
import { Message } from "../../src/EffectCluster/MessageRecords.ts"
import { makeEncoded } from "../../src/EffectCluster/MessageStorage.ts"
import { describe as described } from "../../src/Model/Class.ts"
import { TestCluster } from "../../src/Testing.ts"
import { chunk, encodedOf, entity, exit, holding, layerCluster, request } from "./storages.ts"

/** The test, as runner 1 on a node that does not lead, where it holds shard 1. Runner 2 holds nothing. */
const test = (
  run: (storage: MessageStorage.Encoded, stale: MessageStorage.Encoded) => Effect.Effect<void, unknown, Member>
) =>
  Effect.gen(function* () {
    const { leader, nodes, on } = yield* TestCluster
    const first = yield* leader
    const node = nodes.find((id) => id !== first)!
    const program = Effect.gen(function* () {
      yield* holding(1, 1)
      yield* run(yield* encodedOf(1), yield* encodedOf(2))
    })
    yield* on(node, program)
  }).pipe(Effect.provide(layerCluster()))

const save = (
  storage: MessageStorage.Encoded,
  requestId: string,
  key: string | null = null,
  deliverAt: number | null = null
) => storage.saveEnvelope({ envelope: request(requestId), primaryKey: key, deliverAt })

const lastIndex = Effect.map(Member, ({ tables }) => tables.index)
const idOf = ({ envelope }: { readonly envelope: { readonly requestId: string } }) => envelope.requestId
const given = (storage: MessageStorage.Encoded, now = 0, limit?: number) =>
  Effect.map(storage.unprocessedMessages(["default:1"], now, limit === undefined ? {} : { limit }), (found) =>
    found.map(idOf)
  )
const recordOf = (id: string) =>
  Effect.map(Member, ({ tables }) => tables.byModel.get(described(Message).name)?.rows.get(id)?.data)

describe("a request", () => {
  it.effect("is one entry with its key, and a second one of the key is told the first and its reply", () =>
    test((storage) =>
      Effect.gen(function* () {
        const began = yield* lastIndex
        assert.strictEqual((yield* save(storage, "10", "Counter/a/Add/k"))._tag, "Success")
        assert.strictEqual(yield* lastIndex, began + 1)
        const second = yield* save(storage, "11", "Counter/a/Add/k")
        assert.deepInclude(second, {
          _tag: "Duplicate",
          originalId: Snowflake.Snowflake("10"),
          lastReceivedReply: Option.none()
        })
        // The sender of a copy of the very same request did not hear that it was saved.
        assert.strictEqual((yield* save(storage, "10", "Counter/a/Add/k"))._tag, "Success")
        yield* storage.saveReply(exit("10", "90", 7))
        const third = yield* save(storage, "12", "Counter/a/Add/k")
        assert.deepInclude(third, { _tag: "Duplicate", lastReceivedReply: Option.some(exit("10", "90", 7)) })
        assert.deepStrictEqual(
          yield* storage.requestIdForPrimaryKey("Counter/a/Add/k"),
          Option.some(Snowflake.Snowflake("10"))
        )
        assert.deepStrictEqual(yield* storage.requestIdForPrimaryKey("Counter/a/Add/other"), Option.none())
      })
    )
  )

  it.effect("is given to a runner once, in the order of the log, when it is due", () =>
    test((storage) =>
      Effect.gen(function* () {
        for (const id of ["30", "10", "20"]) yield* save(storage, id)
        yield* save(storage, "40", null, 1_000)
        assert.deepStrictEqual(yield* given(storage, 999, 2), ["30", "10"])
        assert.deepStrictEqual(yield* given(storage, 999), ["20"])
        assert.deepStrictEqual(yield* given(storage, 1_000), ["40"])
        assert.deepStrictEqual(yield* given(storage, 1_000), [])
        yield* storage.resetRequests([Snowflake.Snowflake("10")])
        assert.deepStrictEqual(yield* given(storage, 1_000), ["10"])
        yield* storage.resetShards(["default:1"])
        assert.deepStrictEqual(yield* given(storage, 1_000), ["30", "10", "20", "40"])
        yield* storage.resetAddresses([entity("a")])
        yield* storage.saveReply(exit("30", "91"))
        assert.deepStrictEqual(yield* given(storage, 1_000), ["10", "20", "40"])
      })
    )
  )

  it.effect("of another entity or another shard is not given", () =>
    test((storage) =>
      Effect.gen(function* () {
        yield* save(storage, "10")
        const only = { addresses: [entity("b")] }
        assert.deepStrictEqual(yield* storage.unprocessedMessages(["default:1"], 0, only), [])
        assert.deepStrictEqual(yield* storage.unprocessedMessages(["default:2"], 0), [])
        const found = yield* storage.unprocessedMessages(["default:1", "default:2"], 0, { addresses: [entity("a")] })
        assert.deepStrictEqual(found.map(idOf), ["10"])
      })
    )
  )
})

describe("a reply", () => {
  it.effect("is refused unless its sender holds the shard, in the same entry", () =>
    test((storage, stale) =>
      Effect.gen(function* () {
        yield* save(storage, "10")
        const began = yield* lastIndex
        const refused = yield* Effect.exit(stale.saveReply(exit("10", "90", "stale")))
        assert.isTrue(Exit.isFailure(refused))
        assert.include(String(refused), "LockLost")
        assert.strictEqual(yield* lastIndex, began)
        assert.deepStrictEqual(yield* storage.repliesForUnfiltered(["10"]), [])
        yield* storage.saveReply(exit("10", "91", "mine"))
        assert.deepStrictEqual(yield* stale.repliesForUnfiltered(["10"]), [exit("10", "91", "mine")])
      })
    )
  )

  it.effect("is saved once: a copy changes nothing, and another final reply is refused", () =>
    test((storage) =>
      Effect.gen(function* () {
        yield* save(storage, "10")
        yield* storage.saveReply(exit("10", "90", 1))
        const began = yield* lastIndex
        yield* storage.saveReply(exit("10", "90", 1))
        const other = yield* Effect.exit(storage.saveReply(exit("10", "91", 2)))
        assert.isTrue(Exit.isFailure(other))
        assert.strictEqual(yield* lastIndex, began)
        assert.deepStrictEqual(yield* storage.repliesFor(["10"]), [exit("10", "90", 1)])
        // Nobody asks for the reply to a request that is gone.
        yield* storage.clearAddress(entity("a"))
        yield* storage.saveReply(exit("10", "92", 3))
        assert.deepStrictEqual(yield* storage.repliesForUnfiltered(["10"]), [])
      })
    )
  )

  it.effect("in parts waits for each part to be acknowledged, and the acknowledgement is one entry", () =>
    test((storage) =>
      Effect.gen(function* () {
        yield* save(storage, "10")
        yield* storage.saveReply(chunk("10", "90", 0))
        assert.isTrue(Exit.isFailure(yield* Effect.exit(storage.saveReply(chunk("10", "91", 0)))))
        assert.deepStrictEqual(yield* storage.repliesFor(["10"]), [chunk("10", "90", 0)])
        assert.deepStrictEqual(yield* given(storage), [])
        const began = yield* lastIndex
        const address = request("10").address
        const ack = { _tag: "AckChunk" as const, id: "11", requestId: "10", replyId: "90", address }
        yield* storage.saveEnvelope({ envelope: ack, primaryKey: null, deliverAt: null })
        assert.strictEqual(yield* lastIndex, began + 1)
        assert.deepStrictEqual(yield* storage.repliesFor(["10"]), [])
        const found = yield* storage.unprocessedMessages(["default:1"], 0)
        assert.deepStrictEqual(
          found.map(({ envelope, lastSentReply }) => [envelope._tag, lastSentReply]),
          [
            ["Request", Option.some(chunk("10", "90", 0))],
            ["AckChunk", Option.none()]
          ]
        )
        // The next acknowledgement takes the place of this one.
        yield* storage.saveReply(chunk("10", "91", 1))
        yield* storage.saveEnvelope({
          envelope: { ...ack, id: "12", replyId: "91" },
          primaryKey: null,
          deliverAt: null
        })
        assert.isUndefined(yield* recordOf("11"))
        yield* storage.saveReply(exit("10", "99"))
        const all = [chunk("10", "90", 0), chunk("10", "91", 1), exit("10", "99")]
        assert.deepStrictEqual(yield* storage.repliesForUnfiltered(["10"]), all)
        assert.isTrue(Exit.isFailure(yield* Effect.exit(storage.saveReply(chunk("10", "98", 2)))))
        yield* storage.saveReply(chunk("10", "91", 1))
        assert.deepStrictEqual(yield* storage.repliesForUnfiltered(["10"]), all)
        yield* storage.resetShards(["default:1"])
        assert.deepStrictEqual(yield* given(storage), [])
      })
    )
  )

  it.effect("is cleared only if it is the one that was expected", () =>
    test((storage) =>
      Effect.gen(function* () {
        const id = Snowflake.Snowflake("10")
        yield* save(storage, "10")
        yield* storage.saveReply(exit("10", "90"))
        yield* storage.clearReplies(id, { expectedReplyId: Snowflake.Snowflake("91") })
        assert.lengthOf(yield* storage.repliesFor(["10"]), 1)
        yield* storage.clearReplies(id, { expectedReplyId: Snowflake.Snowflake("90") })
        assert.lengthOf(yield* storage.repliesFor(["10"]), 0)
        assert.deepStrictEqual(yield* given(storage), ["10"])
        yield* storage.saveReply(exit("10", "92"))
        yield* storage.clearReplies(id)
        assert.deepStrictEqual(yield* given(storage), ["10"])
      })
    )
  )
})

describe("a claim", () => {
  it.effect("of a message that is gone ends after its time", () =>
    test(() =>
      Effect.gen(function* () {
        const { encoded, isClaimed } = yield* makeEncoded("127.0.0.1:1")
        yield* save(encoded, "10")
        yield* given(encoded)
        yield* encoded.clearAddress(entity("a"))
        assert.isTrue(isClaimed("10"))
        yield* given(encoded, 600_000)
        assert.isFalse(isClaimed("10"))
      })
    )
  )
})

describe("messages that are too large for one entry together", () => {
  /** An execution with three steps: two entries of what one may remove. */
  const saveLarge = (storage: MessageStorage.Encoded) =>
    Effect.gen(function* () {
      const saveOne = (requestId: string, tag: string, name: string, payload: string) =>
        storage.saveEnvelope({
          envelope: request(requestId, { type: "Workflow/Large", tag, payload }),
          primaryKey: `Workflow/Large/a/${tag}/${name}`,
          deliverAt: null
        })
      yield* saveOne("100", "run", "", "")
      for (const id of ["101", "102", "103"]) {
        yield* saveOne(id, "activity", id, "x".repeat(900_000))
        yield* storage.saveReply(exit(id, `2${id}`))
      }
      yield* storage.saveReply(exit("100", "2100"))
    })
  const left = Effect.map(Member, ({ tables }) => [...(tables.byModel.get(described(Message).name)?.rows.keys() ?? [])])

  it.effect("are forgotten in several, an execution after its steps", () =>
    test((storage) =>
      Effect.gen(function* () {
        yield* saveLarge(storage)
        const began = yield* lastIndex
        yield* Effect.gen(function* () {
          yield* Effect.sleep("40 seconds")
          // The age of the log goes on with this entry.
          yield* save(storage, "10")
          yield* Effect.sleep("5 seconds")
        }).pipe(Effect.provide(layerForgetting({ keepFinished: "1 second" })))
        assert.deepStrictEqual(yield* left, ["10"])
        assert.strictEqual(yield* lastIndex, began + 1 + 2)
      })
    )
  )

  it.effect("are cleared in several", () =>
    test((storage) =>
      Effect.gen(function* () {
        yield* saveLarge(storage)
        const began = yield* lastIndex
        yield* storage.clearAddress(entity("a", "Workflow/Large"))
        assert.deepStrictEqual(yield* left, [])
        assert.strictEqual(yield* lastIndex, began + 2)
      })
    )
  )
})

describe("a transaction", () => {
  it.effect("saves its final replies in one entry at its end, and none if it fails", () =>
    test((storage) =>
      Effect.gen(function* () {
        for (const id of ["10", "20"]) yield* save(storage, id)
        const began = yield* lastIndex
        const both = Effect.andThen(storage.saveReply(exit("10", "90")), storage.saveReply(exit("20", "91")))
        yield* Effect.exit(storage.withTransaction(Effect.andThen(both, Effect.fail("no"))))
        assert.strictEqual(yield* lastIndex, began)
        assert.deepStrictEqual(yield* storage.repliesForUnfiltered(["10", "20"]), [])
        yield* storage.withTransaction(storage.withTransaction(both))
        assert.strictEqual(yield* lastIndex, began + 1)
        assert.lengthOf(yield* storage.repliesForUnfiltered(["10", "20"]), 2)
      })
    )
  )
})

describe("an interrupt", () => {
  it.effect("is given with its request, goes with it, and is not kept for a request that is over", () =>
    test((storage) =>
      Effect.gen(function* () {
        const interrupt = (id: string) => ({
          envelope: { _tag: "Interrupt" as const, id, requestId: "10", address: request("10").address },
          primaryKey: null,
          deliverAt: null
        })
        yield* save(storage, "10")
        yield* storage.saveEnvelope(interrupt("11"))
        assert.deepStrictEqual(yield* given(storage), ["10", "10"])
        yield* storage.saveReply(exit("10", "90"))
        assert.isUndefined((yield* recordOf("11"))?.openShard)
        yield* storage.saveEnvelope(interrupt("12"))
        assert.isUndefined(yield* recordOf("12"))
        yield* storage.clearReplies(Snowflake.Snowflake("10"))
        assert.deepStrictEqual(yield* given(storage), ["10"])
      })
    )
  )
})
