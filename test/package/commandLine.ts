/** The command line of the installed package, as a user gets it: `npx lithair`, and its file on Bun and Deno. */
import { rmSync } from "node:fs"
import { join } from "node:path"
import { assert, type Vitest } from "@effect/vitest"
import { Effect } from "effect"
import { allReady, freePort, makeNode, startCluster } from "../processes/Processes.ts"
import { binary, output, Project } from "./Project.ts"

const cli = "node_modules/lithair/lib/cli.js"
const ways: ReadonlyArray<{ readonly name: string; readonly run: readonly [string, ...Array<string>] }> = [
  { name: "npx on Node", run: ["npx", "--no-install", "lithair"] },
  { name: "Bun", run: [binary("bun"), cli] },
  { name: "Deno", run: [binary("deno"), "run", "-A", cli] }
]

/** A dozen commands, each of which loads the package anew. */
const timeoutMs = 300_000

/** Its cases, for the installed package of `it`. */
export const commandLineCases = (it: Vitest.MethodsNonLive<Project>): void => {
  it.effect(
    "backs up, verifies, inspects and restores a cluster, by npx on Node, and on Bun and Deno",
    () =>
      Effect.gen(function* () {
        const { directory } = yield* Project
        const script = join(directory, "src/main.ts")
        const [node] = yield* startCluster(["node"], undefined, script)
        const created = yield* node!.request("POST", "/api/tasks", { body: { title: "Keep it", done: false } })
        assert.strictEqual(created.status, 201)
        for (const [at, { name, run }] of ways.entries()) {
          const [command, ...first] = run
          const lithair = (...args: ReadonlyArray<string>) =>
            Effect.map(output({ command, args: [...first, ...args, "--json"], cwd: directory }), (text) =>
              JSON.parse(text)
            )
          const archive = `tasks-${at}.lithair`
          const data = join(directory, `restored-${at}`)
          yield* Effect.addFinalizer(() =>
            Effect.sync(() => {
              rmSync(join(directory, archive), { force: true })
              rmSync(data, { recursive: true, force: true })
            })
          )
          const taken = yield* lithair("backup", node!.url, "--after", "0", "--out", archive)
          const verified = yield* lithair("verify", archive)
          assert.deepInclude(verified, { intact: true, index: taken.index, stateHash: taken.stateHash }, name)
          assert.strictEqual((yield* lithair("inspect", archive)).clusterId, taken.clusterId)
          const port = yield* freePort
          const place = ["--directory", data, "--address", `127.0.0.1:${port}`, "--yes"]
          const made = yield* lithair("restore", archive, ...place)
          assert.deepInclude(made, { stateHash: taken.stateHash, isHistoryWhole: true }, name)
          const restored = yield* makeNode("node", port, { flags: [], data, environment: {}, script })
          yield* restored.start
          yield* allReady([restored])
          const read = yield* restored.request("GET", `/api/tasks/${created.body.id}`)
          assert.deepStrictEqual([read.status, read.body], [200, created.body], name)
        }
      }).pipe(Effect.scoped),
    timeoutMs
  )
}
