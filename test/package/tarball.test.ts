/** The package as a user gets it: packed, installed into an empty project, and run on each runtime. */
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import { browserCases } from "./browser.ts"
import { commandLineCases } from "./commandLine.ts"
import { binary, output, Project } from "./Project.ts"
import { starterCases } from "./starter.ts"
import { ticketingCases } from "./ticketing.ts"

const node = binary("node")
const bun = binary("bun")
const bundled = [binary("esbuild"), "main.ts", "--bundle", "--platform=node", "--log-level=warning"]
/** What ECMAScript modules need for packages that call `require`, as esbuild's users write it. */
const banner =
  "--banner:js=import { createRequire as makeRequire } from 'node:module'; const require = makeRequire(import.meta.url);"

const execute = ([command = "", ...args]: ReadonlyArray<string>, cwd: string) => output({ command, args, cwd })

/** How a user runs an application, and what makes it first: nothing, a bundler or a compiler. */
const ways: ReadonlyArray<{
  readonly name: string
  readonly make?: ReadonlyArray<string>
  readonly run: ReadonlyArray<string>
}> = [
  { name: "on Node", run: [node, "main.ts"] },
  { name: "on Bun", run: [bun, "main.ts"] },
  { name: "on Deno", run: [binary("deno"), "run", "-A", "main.ts"] },
  {
    name: "bundled by esbuild as ECMAScript modules",
    make: [...bundled, "--format=esm", banner, "--outfile=out/app.mjs"],
    run: [node, "out/app.mjs"]
  },
  {
    name: "bundled by esbuild as CommonJS, minified",
    make: [...bundled, "--format=cjs", "--minify", "--keep-names", "--outfile=out/app.cjs"],
    run: [node, "out/app.cjs"]
  },
  {
    name: "compiled by bun build --compile",
    make: [bun, "build", "--compile", "main.ts", "--outfile=out/app"],
    run: ["out/app"]
  }
]

layer(Project.layer, { timeout: "120 seconds", excludeTestServices: true })("the published package (D1)", (it) => {
  for (const { make, name, run } of ways) {
    it.effect(`serves a write and its reads, of SQLite too, as a cluster of one, ${name}`, () =>
      Effect.gen(function* () {
        const { directory } = yield* Project
        const consumer = join(directory, "consumer")
        if (make !== undefined) yield* execute(make, consumer)
        const printed = yield* execute(run, consumer)
        const { created, read, rows, simulated } = JSON.parse(
          printed.split("\n").find((line) => line.startsWith("{")) ?? ""
        )
        assert.strictEqual(created.status, 201)
        assert.strictEqual(created.body.name, "Chair")
        assert.deepStrictEqual(read, { status: 200, body: created.body })
        assert.deepStrictEqual(rows, [{ name: "Chair" }])
        assert.isUndefined(simulated.failure)
      })
    )
  }

  it.effect("type-checks a program and ticketing against its declarations, the libraries' own included", () =>
    Effect.gen(function* () {
      const { directory } = yield* Project
      const args = ["-p", "consumer", "--noEmit"]
      assert.strictEqual(yield* output({ command: binary("tsc"), args, cwd: directory }), "")
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

  it.effect("holds the built files, docs, examples, and every entry point", () =>
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

  browserCases(it)
  commandLineCases(it)
  starterCases(it)
  ticketingCases(it)
})
