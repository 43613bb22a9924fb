/** The project that a new user copies, installed with the package: its types, its tests, and a node. */
import { join } from "node:path"
import { assert, type Vitest } from "@effect/vitest"
import { Effect } from "effect"
import { startCluster } from "../processes/Processes.ts"
import { output, Project } from "./Project.ts"

/** Its cases, for the installed package of `it`. */
export const starterCases = (it: Vitest.MethodsNonLive<Project>): void => {
  it.effect("type-checks the starter, as its own settings say", () =>
    Effect.gen(function* () {
      const { directory } = yield* Project
      yield* output({ command: "npm", args: ["run", "types"], cwd: directory })
    })
  )

  it.effect("passes the starter's own test", () =>
    Effect.gen(function* () {
      const { directory } = yield* Project
      const printed = yield* output({ command: "npm", args: ["test", "--", "test/tasks.test.ts"], cwd: directory })
      assert.match(printed, /1 passed/)
    })
  )

  it.effect("starts the starter as a node, which serves its model and stops in order", () =>
    Effect.gen(function* () {
      const { directory } = yield* Project
      const [node] = yield* startCluster(["node"], undefined, join(directory, "src/main.ts"))
      const created = yield* node!.request("POST", "/api/tasks", { body: { title: "Try it", done: false } })
      assert.strictEqual(created.status, 201)
      const read = yield* node!.request("GET", `/api/tasks/${created.body.id}`)
      assert.deepStrictEqual([read.status, read.body], [200, created.body])
      assert.strictEqual(yield* node!.stop("SIGTERM"), 0)
    })
  )
}
