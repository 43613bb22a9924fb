/** The program that the docs show for a browser: it loads no module of a runtime, and is no larger than they say. */
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { gzipSync } from "node:zlib"
import { assert, type Vitest } from "@effect/vitest"
import { Effect } from "effect"
import { build } from "esbuild"
import { Project } from "./Project.ts"

/** Its cases, for the installed package of `it`. */
export const browserCases = (it: Vitest.MethodsNonLive<Project>): void => {
  it.effect(
    "bundles the program of docs/client.md for a browser, no larger than the page says and without a runtime's modules",
    () =>
      Effect.gen(function* () {
        const { directory } = yield* Project
        const page = readFileSync(join(directory, "node_modules/lithair/docs/client.md"), "utf8")
        const [, section = ""] = page.split("## In a browser")
        const [, program = ""] = /```ts\n([\s\S]*?)```/.exec(section) ?? []
        const [, stated] = /This program is (\d+) kB gzipped/.exec(section) ?? []
        // A module that a browser does not have fails the bundling: esbuild resolves none for this platform.
        const { outputFiles } = yield* Effect.promise(() =>
          build({
            stdin: { contents: program, resolveDir: directory, loader: "ts" },
            bundle: true,
            minify: true,
            platform: "browser",
            format: "esm",
            write: false,
            logLevel: "silent"
          })
        )
        const sizeBytes = gzipSync(outputFiles[0]!.contents, { level: 9 }).length
        assert.isAtLeast(sizeBytes, 20_000, "the program is in the bundle")
        assert.isAtMost(sizeBytes, Number(stated) * 1_000)
      })
  )

  it.effect("does not bundle a node's code for a browser", () =>
    Effect.gen(function* () {
      const { directory } = yield* Project
      const bundled = build({
        stdin: { contents: `import { Client } from "lithair"\nconsole.log(Client)`, resolveDir: directory },
        bundle: true,
        platform: "browser",
        write: false,
        logLevel: "silent"
      })
      const error = yield* Effect.flip(Effect.tryPromise({ try: () => bundled, catch: String }))
      assert.include(error, 'Could not resolve "node:')
    })
  )
}
