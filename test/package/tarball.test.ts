/** The package as a user gets it: packed, installed into an empty project, and run on each runtime. */
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import { binary, output, Project } from "./Project.ts"

const runtimes = [
  { name: "Node", command: binary("node"), args: ["main.ts"] },
  { name: "Bun", command: binary("bun"), args: ["main.ts"] },
  { name: "Deno", command: binary("deno"), args: ["run", "-A", "main.ts"] }
]

layer(Project.layer, { timeout: "120 seconds", excludeTestServices: true })("the published package (D1)", (it) => {
  for (const { args, command, name } of runtimes) {
    it.effect(`serves a write and a read, as a cluster of one, on ${name}`, () =>
      Effect.gen(function* () {
        const { directory } = yield* Project
        const printed = yield* output({ command, args, cwd: directory })
        const { created, read, simulated } = JSON.parse(printed.split("\n").find((line) => line.startsWith("{")) ?? "")
        assert.strictEqual(created.status, 201)
        assert.strictEqual(created.body.name, "Chair")
        assert.deepStrictEqual(read, { status: 200, body: created.body })
        assert.isUndefined(simulated.failure)
      })
    )
  }

  it.effect("type-checks against its declarations, the libraries' own included", () =>
    Effect.gen(function* () {
      const { directory } = yield* Project
      assert.strictEqual(yield* output({ command: binary("tsc"), args: ["--noEmit"], cwd: directory }), "")
    })
  )

  it.effect("lets an application name every type that it exports, in a workspace of its own", () =>
    Effect.gen(function* () {
      const { directory } = yield* Project
      const args = ["-p", "declared"]
      assert.strictEqual(yield* output({ command: binary("tsc"), args, cwd: directory }), "")
      assert.isTrue(existsSync(join(directory, "declared/out/app/main.d.ts")))
    })
  )

  it.effect("holds what is built, docs and examples, and every entry point", () =>
    Effect.gen(function* () {
      const installed = join((yield* Project).directory, "node_modules/lithair")
      assert.deepStrictEqual(readdirSync(installed).toSorted(), [
        "LICENSE",
        "README.md",
        "docs",
        "examples",
        "lib",
        "package.json"
      ])
      const { exports } = JSON.parse(readFileSync(join(installed, "package.json"), "utf8"))
      const missing = Object.values<string>(exports).filter((path) => !existsSync(join(installed, path)))
      assert.deepStrictEqual(missing, [])
    })
  )
})
