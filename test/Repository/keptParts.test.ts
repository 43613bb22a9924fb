/** What a node keeps of its own of what the cluster has done: once for each request, whole or not at all. D4. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import type { LocalNode, LocalPartsResult } from "../../src/Local/LocalNode.ts"
import type { OperationAnswer } from "../../src/Machine/Answer.ts"
import type { LocalPartsRequest } from "../../src/Machine/LocalParts.ts"
import * as Machine from "../../src/Machine/Machine.ts"
import type { Rejection } from "../../src/Machine/Rejection.ts"
import * as Tables from "../../src/Machine/Tables.ts"
import * as Model from "../../src/Model.ts"
import { NotDone } from "../../src/Raft/node/Outcome.ts"
import { type DoneOperation, keep } from "../../src/Repository/KeptParts.ts"

class User extends Model.Class<User>("User")({
  id: Model.id(Schema.String),
  email: Model.replicate(Schema.String),
  note: Model.local(Schema.NonEmptyString)
}) {}
const descriptor = Model.describe(User)

/** A node: the record `u` as the cluster has it, at the version that the request left, and a log that really decides. */
const nodeOf = (options: { readonly version?: number | null; readonly hasQuorum?: boolean } = {}) => {
  const { hasQuorum = true, version = 2 } = options
  const replicated = Tables.make([descriptor])
  if (version !== null) {
    const row = { version, createdIndex: 3, index: 7, modelVersion: 1, data: { id: "u", email: "a@b" } }
    replicated.byModel.get("User")!.rows.set("u", row)
  }
  const machine = Machine.make([])
  const asked: Array<LocalPartsRequest> = []
  /** What the log answers in place of deciding. */
  let answers: Array<Effect.Effect<LocalPartsResult, NotDone>> = []
  let readsCount = 0
  const decide = (request: LocalPartsRequest): LocalPartsResult => {
    const index = machine.applied.index + 1
    Machine.beginSpeculation(machine)
    const { entry, result } = Machine.decideNextParts(machine, request, { index, nowMs: 1 })
    Machine.dropSpeculation(machine)
    if (result._tag === "Rejected") return result
    if (result._tag !== "Set") return { _tag: "Accepted", parts: [], isReplayed: true }
    if (entry !== undefined) Machine.apply(machine, { index, payload: entry.payload })
    return { _tag: "Accepted", parts: result.parts, isReplayed: false }
  }
  const node = {
    member: {
      tables: replicated,
      readIndex: Effect.suspend(() => {
        readsCount++
        return hasQuorum ? Effect.succeed(7) : Effect.fail(new NotDone({ reason: "no-quorum", message: "alone" }))
      })
    },
    local: {
      tables: machine.applied,
      setLocalParts: (request: LocalPartsRequest) =>
        Effect.suspend(() => {
          asked.push(request)
          const answer = answers.shift() ?? Effect.succeed(decide(request))
          return Effect.map(answer, (result) => ({ index: 1, result }))
        })
    } as unknown as LocalNode["Service"]
  }
  const held = () => machine.applied.byModel.get("User")?.localParts.get("u")
  const write = (note: string, version: number) =>
    decide({ parts: [{ descriptor, request: { id: "u", createdIndex: 3, version, how: "put", data: { note } } }] })
  return {
    node,
    asked,
    held,
    write,
    readsCount: () => readsCount,
    answer: (...next: typeof answers) => {
      answers = next
    }
  }
}

const updated: OperationAnswer = {
  change: "updated",
  model: "User",
  id: "u",
  version: 2,
  index: 7,
  createdIndex: 3,
  record: { id: "u", email: "a@b" }
}
const done = (own: DoneOperation["own"], answer: Partial<OperationAnswer> = {}): DoneOperation => ({
  descriptor,
  own,
  answer: { ...updated, ...answer }
})
const put = (note?: string) => ({ how: "put", data: note === undefined ? {} : { note } }) as const
const first = { isReplayed: false, logIndex: 7, origin: { key: "k", fingerprint: "f" } }
const copy = { ...first, isReplayed: true }
const shownOf = (changes: ReadonlyArray<{ readonly record: object; readonly isLocalPartLost: boolean }>) =>
  changes.map(({ isLocalPartLost, record }) => [Reflect.get(record, "note"), isLocalPartLost])

describe("keep", () => {
  it.effect("shows both parts once this node's is written, and notes the key of the request with it", () =>
    Effect.gen(function* () {
      const { asked, node } = nodeOf()
      const [changed] = yield* keep(node, [done(put("n"))], first)
      assert.deepInclude(changed, {
        record: { id: "u", email: "a@b", note: "n" },
        localRevision: 1,
        isLocalPartLost: false,
        logIndex: 7
      })
      assert.deepStrictEqual(asked[0]?.origin, { key: "part k" })
      yield* keep(node, [done(put("m"))], { ...first, origin: { fingerprint: "f" } })
      assert.isUndefined(asked[1]?.origin, "nobody can send a copy of a request without a key that was answered")
    })
  )

  it.effect("a part that cannot be written is lost, and the change is done all the same", () =>
    Effect.gen(function* () {
      const failed = Effect.fail(new NotDone({ reason: "draining", message: "the disk failed" }))
      const rejection: Rejection = { _tag: "InvalidRequest", errors: [] }
      for (const answer of [failed, Effect.succeed<LocalPartsResult>({ _tag: "Rejected", rejection })]) {
        const one = nodeOf()
        one.answer(answer)
        const [changed] = yield* keep(one.node, [done(put("n"))], first)
        assert.deepInclude(changed, { record: { id: "u", email: "a@b" }, version: 2, isLocalPartLost: true })
      }
    })
  )

  it.effect("where no more keys are remembered it is kept without a note", () =>
    Effect.gen(function* () {
      const { answer, asked, held, node } = nodeOf()
      answer(Effect.succeed({ _tag: "Rejected", rejection: { _tag: "KeysExhausted" } }))
      assert.deepStrictEqual(shownOf(yield* keep(node, [done(put("n"))], first)), [["n", false]])
      assert.deepStrictEqual([asked.length, asked[1]?.origin, held()?.data.note], [2, undefined, "n"])
    })
  )

  it.effect("writes nothing for a deletion, or a PUT that finds nothing to clear", () =>
    Effect.gen(function* () {
      const { asked, node } = nodeOf()
      yield* keep(node, [done(undefined, { change: "deleted" })], first)
      yield* keep(node, [done(put())], first)
      assert.deepStrictEqual(asked, [])
    })
  )

  it.effect("a copy keeps what was not kept before, once, and changes nothing of what is written after it", () =>
    Effect.gen(function* () {
      const { held, node, readsCount, write } = nodeOf()
      write("old", 1)
      assert.deepStrictEqual(shownOf(yield* keep(node, [done(put("n"))], copy)), [["n", false]])
      write("newer", 2)
      assert.deepStrictEqual(shownOf(yield* keep(node, [done(put("n"))], copy)), [["newer", false]])
      assert.deepStrictEqual([held()?.data.note, readsCount()], ["newer", 1])
    })
  )

  it.effect("a copy of what this node kept already changes nothing, and needs no quorum", () =>
    Effect.gen(function* () {
      const { held, node, write } = nodeOf({ hasQuorum: false })
      yield* keep(node, [done(put("n"))], first)
      write("newer", 2)
      assert.deepStrictEqual(shownOf(yield* keep(node, [done(put("n"))], copy)), [["newer", false]])
      assert.strictEqual(held()?.data.note, "newer")
    })
  )

  it.effect(
    "a copy says that its part is lost where the record or its part has changed since, or nobody can tell",
    () =>
      Effect.gen(function* () {
        const changed = nodeOf({ version: 3 })
        const gone = nodeOf({ version: null })
        const alone = nodeOf({ hasQuorum: false })
        const written = nodeOf()
        written.write("newer", 2)
        for (const [one, shown] of [
          [changed, undefined],
          [gone, undefined],
          [alone, undefined],
          [written, "newer"]
        ] as const) {
          assert.deepStrictEqual(shownOf(yield* keep(one.node, [done(put("n"))], copy)), [[shown, true]])
          assert.strictEqual(one.held()?.data.note, shown)
        }
      })
  )

  it.effect("a copy of what changed nothing but this node's part keeps it: the version is that of what was there", () =>
    Effect.gen(function* () {
      const { node, write } = nodeOf()
      write("old", 2)
      const operations = [done(put("n"), { change: "unchanged" })]
      assert.deepStrictEqual(shownOf(yield* keep(node, operations, copy)), [["n", false]])
    })
  )

  it.effect("several operations on a record are kept together, in order, by a copy too", () =>
    Effect.gen(function* () {
      const operations = [
        done(put("created"), { change: "created", version: 1 }),
        done({ how: "patch", data: { note: "patched" } }),
        done(undefined)
      ]
      for (const how of [first, copy]) {
        const { asked, held, node } = nodeOf()
        assert.deepStrictEqual(shownOf(yield* keep(node, operations, how)), [
          ["created", false],
          ["patched", false],
          ["patched", false]
        ])
        assert.deepStrictEqual([asked.length, held()?.data.note], [1, "patched"])
      }
      const { node } = nodeOf()
      const cleared = [...operations.slice(0, 1), done(put())]
      assert.deepStrictEqual(shownOf(yield* keep(node, cleared, first)), [
        ["created", false],
        [undefined, false]
      ])
    })
  )

  it.effect("nothing is kept of a record that its own request deletes, or deletes and creates again", () =>
    Effect.gen(function* () {
      const gone = [done(put("n")), done(undefined, { change: "deleted" })]
      const again = [...gone, done(undefined, { change: "created", version: 4 })]
      for (const operations of [gone, again]) {
        const { asked, node } = nodeOf()
        yield* keep(node, operations, first)
        assert.deepStrictEqual(asked, [])
      }
    })
  )
})
