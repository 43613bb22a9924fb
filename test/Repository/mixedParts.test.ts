/** A change of a mixed record in two parts, and what is told when only the first could be done. DESIGN D4. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Result, Schema } from "effect"
import type { LocalNode, LocalPartResult } from "../../src/EventStore/LocalNode.ts"
import { LocalNotDone } from "../../src/EventStore/LocalOutcome.ts"
import * as Tables from "../../src/Machine/Tables.ts"
import * as Model from "../../src/Model.ts"
import { keep, partOf } from "../../src/Repository/MixedParts.ts"

class User extends Model.Class<User>("User")({
  id: Model.id(Schema.String),
  email: Model.replicate(Schema.String),
  note: Model.local(Schema.NonEmptyString)
}) {}
const descriptor = Model.describe(User)

const done = {
  change: "updated",
  model: "User",
  id: "u",
  version: 2,
  index: 7,
  createdIndex: 3,
  record: { id: "u", email: "a@b" },
  logIndex: 7,
  isReplayed: false
} as const

/** A node's own log that answers so, and what it was asked to keep. */
const logOf = (answer: Effect.Effect<LocalPartResult, LocalNotDone>) => {
  const asked: Array<unknown> = []
  const local = {
    tables: Tables.make([]),
    setLocalPart: ({ request }: { readonly request: unknown }) =>
      Effect.suspend(() => {
        asked.push(request)
        return Effect.map(answer, (answer) => ({ index: 1, answer }))
      })
  }
  return { asked, local: local as unknown as LocalNode["Service"] }
}
const part = { createdIndex: 3, version: 2, revision: 1, data: { note: "n" } }
const kept = Effect.succeed<LocalPartResult>({ _tag: "Accepted", part })
const put = { how: "put", data: { note: "n" } } as const

describe("partOf", () => {
  it("proposes what all nodes hold, and leaves this node what is its own; a PUT leaves it what to clear", () => {
    const parted = (operation: Parameters<typeof partOf>[1]) => Result.getOrThrow(partOf(descriptor, operation))
    const data = { email: "a@b", note: "n" }
    const create = { _tag: "Create", model: "User", data } as const
    assert.deepStrictEqual(parted(create), { operation: { ...create, data: { email: "a@b" } }, own: put })
    const patch = { _tag: "Patch", model: "User", id: "u", data: { note: null } } as const
    const own = { how: "patch", data: { note: null } } as const
    assert.deepStrictEqual(parted(patch), { operation: { ...patch, data: {} }, own })
    const bare = { _tag: "Put", model: "User", id: "u", data: { email: "a@b" } } as const
    assert.deepStrictEqual(parted(bare), { operation: bare, own: { how: "put", data: {} } })
    const gone = { _tag: "Delete", model: "User", id: "u" } as const
    assert.deepStrictEqual(parted(gone), { operation: gone, own: undefined })
  })

  it("refuses bad local fields before anything is proposed", () => {
    const wrong = partOf(descriptor, { _tag: "Create", model: "User", data: { email: "a@b", note: "" } })
    assert.strictEqual(Result.isFailure(wrong) && wrong.failure._tag, "InvalidRequest")
  })
})

describe("keep", () => {
  it.effect("shows both parts once this node's is written", () =>
    Effect.gen(function* () {
      const { asked, local } = logOf(kept)
      const changed = yield* keep(local, descriptor, done, put)
      assert.deepInclude(changed, {
        record: { id: "u", email: "a@b", note: "n" },
        localRevision: 1,
        isLocalPartLost: false
      })
      assert.deepStrictEqual(asked, [{ id: "u", createdIndex: 3, version: 2, ...put }])
    })
  )

  it.effect("a part that cannot be written is lost, and the change is done all the same", () =>
    Effect.gen(function* () {
      const failed = Effect.fail(new LocalNotDone({ reason: "stopped", message: "the disk failed" }))
      const refused = Effect.succeed<LocalPartResult>({
        _tag: "Rejected",
        rejection: { _tag: "InvalidRequest", errors: [] }
      })
      for (const answer of [failed, refused]) {
        const changed = yield* keep(logOf(answer).local, descriptor, done, put)
        assert.deepInclude(changed, { record: { id: "u", email: "a@b" }, version: 2, isLocalPartLost: true })
      }
    })
  )

  it.effect("writes nothing for a copy, a deletion, or a PUT that finds nothing to clear", () =>
    Effect.gen(function* () {
      const { asked, local } = logOf(kept)
      yield* keep(local, descriptor, { ...done, isReplayed: true }, put)
      yield* keep(local, descriptor, { ...done, change: "deleted" }, undefined)
      yield* keep(local, descriptor, done, { how: "put", data: {} })
      assert.deepStrictEqual(asked, [])
    })
  )
})
