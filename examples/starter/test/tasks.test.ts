/** The tasks on three nodes inside the test, without ports and files. */
import { assert, it } from "@effect/vitest"
import { Effect, Option } from "effect"
import { Repository } from "lithair"
import { TestCluster } from "lithair/testing"
import { Task } from "../src/models.ts"

it.effect("a task is there on every node, also once the leader has crashed", () =>
  Effect.gen(function* () {
    const { crash, leader, nodes, on } = yield* TestCluster
    const first = yield* leader
    const tasks = Repository.make(Task)
    const { row } = yield* on(
      first,
      Effect.flatMap(tasks, ({ create }) => create({ title: "Try it", done: false }))
    )
    yield* crash(first)
    for (const node of nodes.filter((each) => each !== first)) {
      const found = yield* on(
        node,
        Effect.flatMap(tasks, ({ get }) => get(row.id))
      )
      assert.deepStrictEqual(
        Option.map(found, (read) => read.row.title),
        Option.some("Try it")
      )
    }
  }).pipe(Effect.provide(TestCluster.layer({ models: [Task] })))
)
