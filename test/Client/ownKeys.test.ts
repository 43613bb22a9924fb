/** Keys that a node's own code gives to its requests: what HTTP and the client refuse is refused here too. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Schema } from "effect"
import * as Command from "../../src/Command.ts"
import * as Model from "../../src/Model.ts"
import * as Repository from "../../src/Repository.ts"
import { TestCluster } from "../../src/Testing.ts"

class Note extends Model.Class<Note>("Note")({
  id: Model.id(Schema.String.check(Schema.isUUID())),
  text: Model.replicate(Schema.String)
}) {}

const write = Command.make("write", { payload: Schema.Struct({ text: Schema.String }), success: Note })
const writeLayer = Command.layer(write, ({ text }) =>
  Effect.flatMap(Command.Transaction, ({ create }) => create(Note, { text }))
)
const cluster = TestCluster.layer({ models: [Note], commands: [write], size: 1 }).pipe(Layer.provide(writeLayer))

const once = (key: string) =>
  Effect.gen(function* () {
    const notes = yield* Repository.make(Note)
    const { run } = yield* Repository.Repository
    const created = yield* Effect.result(notes.create({ text: "" }, { key }))
    const written = yield* Effect.result(run(write, { text: "" }, { key: `${key}${key === "" ? "" : "2"}` }))
    return [created._tag, written._tag]
  })

describe("a key of a node's own code", () => {
  it.live("is 1 to 255 visible ASCII characters, or the change is refused", () =>
    Effect.gen(function* () {
      const { on } = yield* TestCluster
      for (const key of ["k", "k".repeat(254), "!~"]) {
        assert.deepStrictEqual(yield* on("n1", once(key)), ["Success", "Success"], key)
      }
      for (const key of ["", "a b", "part k", "é", "\ud800", "a\n", "k".repeat(256), "k".repeat(2_000_000)]) {
        assert.deepStrictEqual(yield* on("n1", once(key)), ["Failure", "Failure"], key.slice(0, 9))
      }
      const notes = yield* on(
        "n1",
        Effect.flatMap(Repository.make(Note), (all) => all.list())
      )
      assert.strictEqual(notes.items.length, 6)
    }).pipe(Effect.provide(cluster))
  )
})
