/** Rows that a program holds are its own: what it does with them changes no record, on no node. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Option, Schema } from "effect"
import { Member } from "../../src/Cluster/Member.ts"
import * as Command from "../../src/Command.ts"
import * as Tables from "../../src/Machine/Tables.ts"
import * as Model from "../../src/Model.ts"
import * as Repository from "../../src/Repository.ts"
import { TestCluster } from "../../src/Testing.ts"

const Id = Schema.String.check(Schema.isUUID())

interface Meta {
  readonly tags: Array<string>
}

class Doc extends Model.Class<Doc>("Doc")(
  { id: Model.id(Id), count: Schema.Int, meta: Schema.MutableJson },
  {
    mode: "replicate",
    // A rule that sorts what it is given, as rules should not.
    check: ({ meta }) => (meta as unknown as Meta).tags.sort().length < 4
  }
) {}

const touch = Command.make("touch", { payload: Schema.Struct({ id: Id, fails: Schema.Boolean }), success: Doc })

const touchLayer = Command.layer(
  touch,
  Effect.fnUntraced(function* ({ fails, id }) {
    const transaction = yield* Command.Transaction
    const row = yield* transaction.get(Doc, id)
    const meta = row.meta as unknown as Meta
    meta.tags.push("of the command")
    if (fails) return yield* Effect.die("oops")
    const written = yield* transaction.patch(Doc, id, { meta: { tags: meta.tags } })
    meta.tags.push("too", "late", "and too many")
    return written
  })
)

const provide = Effect.provide(Layer.provide(TestCluster.layer({ models: [Doc], commands: [touch] }), touchLayer))

/** What each node holds of a record, and the hash of all that it holds. */
const everywhere = (id: string) =>
  Effect.flatMap(TestCluster, ({ nodes, on }) =>
    Effect.forEach(nodes, (node) =>
      on(
        node,
        Effect.gen(function* () {
          const docs = yield* Repository.make(Doc)
          const { row } = Option.getOrThrow(yield* docs.get(id))
          return { tags: (row.meta as unknown as Meta).tags, hash: Tables.stateHash((yield* Member).tables) }
        })
      )
    )
  )

const assertEverywhere = Effect.fnUntraced(function* (id: string, tags: ReadonlyArray<string>) {
  const held = yield* everywhere(id)
  for (const each of held) assert.deepStrictEqual(each, { tags: [...tags], hash: held[0]!.hash })
})

describe("a row that a program was given", () => {
  it.effect("may be changed by it, and by a rule, and no record changes", () =>
    Effect.gen(function* () {
      const { nodes, on } = yield* TestCluster
      const meta = { tags: ["b", "a"] }
      const [first, second] = nodes
      const create = Effect.flatMap(Repository.make(Doc), (docs) => docs.create({ count: 1, meta }))
      const { row } = yield* on(first!, create)
      meta.tags.push("later")
      yield* assertEverywhere(row.id, ["b", "a"])
      const change = Effect.gen(function* () {
        const docs = yield* Repository.make(Doc)
        const read = Option.getOrThrow(yield* docs.get(row.id))
        ;(read.row.meta as unknown as Meta).tags.push("mine alone")
        yield* docs.patch(row.id, { count: 2 })
      })
      for (const node of [first!, second!]) yield* on(node, change)
      yield* assertEverywhere(row.id, ["b", "a"])
    }).pipe(provide)
  )

  it.effect("may be changed by a command, which changes nothing unless it writes it, and then what it wrote", () =>
    Effect.gen(function* () {
      const { nodes, on } = yield* TestCluster
      const create = Effect.flatMap(Repository.make(Doc), (docs) => docs.create({ count: 1, meta: { tags: [] } }))
      const { row } = yield* on(nodes[0]!, create)
      const run = (fails: boolean) =>
        Effect.flatMap(Repository.Repository, (commands) => Effect.result(commands.run(touch, { id: row.id, fails })))
      yield* on(nodes[1]!, run(true))
      yield* on(
        nodes[2]!,
        Effect.flatMap(Repository.make(Doc), (docs) => docs.patch(row.id, { count: 2 }))
      )
      yield* assertEverywhere(row.id, [])
      yield* on(nodes[1]!, run(false))
      yield* assertEverywhere(row.id, ["of the command"])
    }).pipe(provide)
  )
})
