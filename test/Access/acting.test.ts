/** A handler that acts for its caller by `transaction.as`: it finds what the caller may read, and does what the caller may. */
import { assert, it } from "@effect/vitest"
import { Effect, Layer, Schema } from "effect"
import * as Command from "../../src/Command.ts"
import { TestCluster } from "../../src/Testing.ts"
import { application, ask, handlers, Note, people } from "./Notes.ts"

const access = { _tag: "SignedIn" } as const

/** What the caller finds, by one way and by the other. */
const look = Command.make("look", {
  payload: Schema.Struct({ id: Schema.String }),
  success: Schema.Struct({
    ids: Schema.Array(Schema.String),
    found: Schema.NullOr(Schema.String),
    mark: Schema.NullOr(Schema.String),
    trustedIds: Schema.Array(Schema.String)
  }),
  access
})
const edit = Command.make("edit", {
  payload: Schema.Struct({ id: Schema.String, how: Schema.Literals(["rank", "likes", "owner", "mark", "delete"]) }),
  success: Schema.Void,
  access
})
const write = Command.make("write", {
  payload: Schema.Struct({ id: Schema.String }),
  success: Schema.Struct({ ownerId: Schema.NullOr(Schema.String), pin: Schema.NullOr(Schema.String) }),
  access
})
const sift = Command.make("sift", { payload: Schema.Struct({}), success: Schema.Int, access })

const acting = Effect.gen(function* () {
  const transaction = yield* Command.Transaction
  return { transaction, own: transaction.as(yield* Command.Caller) }
})

const layers = Layer.mergeAll(
  handlers,
  Command.layer(
    look,
    Effect.fnUntraced(function* ({ id }) {
      const { own, transaction } = yield* acting
      const found = yield* own.find(Note, id)
      const note = found._tag === "Some" ? found.value : undefined
      const idsOf = (rows: ReadonlyArray<{ readonly id: string }>) => rows.map(({ id }) => id)
      return {
        ids: idsOf(yield* own.list(Note, { limit: 9 })),
        found: note?.id ?? null,
        mark: note?.mark ?? null,
        trustedIds: idsOf(yield* transaction.list(Note, { limit: 9 }))
      }
    })
  ),
  Command.layer(
    edit,
    Effect.fnUntraced(function* ({ how, id }) {
      const { own } = yield* acting
      if (how === "delete") yield* own.delete(Note, id)
      else if (how === "rank") yield* own.patch(Note, id, { rank: 77 })
      else if (how === "likes") yield* own.patch(Note, id, { likes: 7 })
      else if (how === "mark") yield* own.patch(Note, id, { mark: "mine" })
      else yield* own.patch(Note, id, { ownerId: "another" })
    })
  ),
  Command.layer(
    write,
    Effect.fnUntraced(function* ({ id }) {
      const { own } = yield* acting
      const { ownerId, pin } = yield* own.create(Note, { id, rank: 1, teamId: null, pin: "1234" })
      return { ownerId: ownerId ?? null, pin: pin ?? null }
    })
  ),
  Command.layer(
    sift,
    Effect.fnUntraced(function* () {
      const { own } = yield* acting
      return (yield* own.list(Note, { where: { mark: "none", rank: 1 }, limit: 9 })).length
    })
  )
)

const release = { ...application, commands: [...application.commands, look, edit, write, sift] }

it.effect("a handler that acts for its caller is held to the rules, and one that does not is trusted", () =>
  Effect.gen(function* () {
    const { ada, bob, on, sam } = yield* people
    const run = (key: string, name: string, body: unknown) =>
      on("n2", ask("POST", `/api/_commands/${name}`, { key, body }))
    const every = ["of-ada", "of-bob", "of-red"]
    const looked = yield* run(ada.key, "look", { id: "of-red" })
    const seen = { ids: ["of-ada", "of-red"], found: "of-red", mark: null, trustedIds: every }
    assert.deepStrictEqual([looked.status, looked.body], [200, seen])
    assert.strictEqual((yield* run(ada.key, "look", { id: "of-bob" })).body.found, null)
    assert.deepInclude((yield* run(sam.key, "look", { id: "of-bob" })).body, { ids: every, mark: "none" })

    const edited = (key: string, id: string, how: string) =>
      Effect.map(run(key, "edit", { id, how }), ({ status }) => status)
    // Out of sight, in sight and not one's own, and one's own.
    assert.strictEqual(yield* edited(ada.key, "of-bob", "rank"), 404)
    assert.strictEqual(yield* edited(ada.key, "of-red", "rank"), 403)
    assert.strictEqual(yield* edited(ada.key, "of-ada", "rank"), 200)
    assert.strictEqual(yield* edited(ada.key, "of-ada", "delete"), 403)
    assert.strictEqual(yield* edited(ada.key, "of-ada", "likes"), 200)
    assert.strictEqual(yield* edited(ada.key, "of-ada", "owner"), 400)
    assert.strictEqual(yield* edited(ada.key, "of-ada", "mark"), 400)
    assert.strictEqual(yield* edited(sam.key, "of-bob", "delete"), 200)
    const { body } = yield* on("n1", ask("GET", "/api/notes/of-ada", { key: ada.key }))
    assert.deepInclude(body, { rank: 77, likes: 7, ownerId: ada.principal })

    const written = yield* run(bob.key, "write", { id: "w" })
    assert.deepStrictEqual([written.status, written.body], [200, { ownerId: bob.principal, pin: null }])
    // A list by a field that the caller does not see is a mistake of the handler, and tells nothing.
    assert.strictEqual((yield* run(ada.key, "sift", {})).status, 500)
    assert.strictEqual((yield* run(sam.key, "sift", {})).status, 200)
  }).pipe(Effect.provide(TestCluster.layer(release).pipe(Layer.provide(layers))))
)
