/**
 * Erasures against real processes: once every member says that one is done, no file of any of them holds the data, and
 * all go on with one state. docs/operating.md, "Erase a record".
 */
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { allReady, equalHash, eventually, expectThat, leaderOf, startCluster, type TestNode } from "./Processes.ts"

/** In each field of the record, and in nothing else. */
const marker = "xyzzy-plugh"
const id = "6a1f3c52-0f0e-4b7e-9a55-0d2c1b6f8e11"
const otherId = "6a1f3c52-0f0e-4b7e-9a55-0d2c1b6f8e12"

/** The files of a data directory that hold a text. A file that goes while it is looked at begins the look anew. */
const filesWith = (directory: string, text: string, looksCount = 100): ReadonlyArray<string> => {
  try {
    return readdirSync(directory, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name))
      .filter((path) => readFileSync(path).includes(text))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT" || looksCount === 0) throw error
    return filesWith(directory, text, looksCount - 1)
  }
}

const erase = (node: TestNode, body: object) => node.request("POST", "/_admin/api/erasures", { body })

const isDone = (node: TestNode, model: string) => {
  let last = "nothing"
  return eventually(
    () => `all members have erased the ${model}; the answer was ${last}, and the node said: ${node.output()}`,
    Effect.flatMap(node.request("GET", `/_admin/api/erasures/${model}/${id}`), ({ body, status }) => {
      last = JSON.stringify(body)
      return expectThat(status === 200 && body.done === true, "it is done")
    }),
    30_000
  )
}

describe("an erasure", () => {
  it.live(
    "leaves the data in no file of any member, through kills and restarts (issue 12)",
    () =>
      Effect.gen(function* () {
        const nodes = yield* startCluster(["node", "node", "node"])
        const [first, second, third] = nodes as [TestNode, TestNode, TestNode]
        const put = (node: TestNode, path: string, body: object, headers = {}) =>
          Effect.flatMap(node.request("PUT", path, { body, headers }), ({ body, status }) =>
            expectThat(status < 300, `it is written: ${status} ${JSON.stringify(body)}`)
          )
        const key = { "idempotency-key": '"first"' }
        yield* put(first, `/api/products/${id}`, { name: `Nail ${marker}`, price: "1.00", category: marker }, key)
        yield* put(second, `/api/products/${id}`, { name: `Screw ${marker}`, price: "2.00" })
        yield* put(first, `/api/products/${otherId}`, { name: "Bolt", price: "2.00" })
        yield* put(third, `/api/products/${otherId}`, { name: "Bolt", price: "3.00" })
        // Each node has local fields of its own of a mixed record, in a log of its own.
        yield* put(first, `/api/users/${id}`, { email: `${marker}@example.org`, cacheData: `${marker} at first` })
        for (const [at, node] of nodes.entries()) {
          const patch = { cacheData: `${marker} at ${at}` }
          const { status } = yield* node.request("PATCH", `/api/users/${id}`, { body: patch })
          yield* expectThat(status === 200, `the local field is written: ${status}`)
        }
        for (const node of nodes) {
          assert.isNotEmpty(filesWith(join(node.data, "log"), marker))
          assert.isNotEmpty(filesWith(join(node.data, "local"), marker))
        }

        // One member is away when it is decided.
        const leader = yield* leaderOf(nodes)
        const away = nodes.find((node) => node !== leader)!
        const here = nodes.filter((node) => node !== away)
        yield* away.stop("SIGKILL")
        const asked = yield* erase(here[0]!, { model: "Product", id })
        assert.strictEqual(asked.status, 202)
        assert.strictEqual(asked.body.done, false)
        assert.include(asked.body.waitingFor, away.id)
        assert.strictEqual((yield* erase(here[1]!, { model: "User", id })).status, 202)
        for (const node of here) {
          assert.strictEqual((yield* node.request("GET", `/api/products/${id}`)).status, 404)
        }
        // The others are killed in the middle of it.
        for (const node of here) yield* node.stop("SIGKILL")
        for (const node of nodes) yield* node.start
        yield* allReady(nodes)
        for (const node of nodes) for (const model of ["Product", "User"]) yield* isDone(node, model)
        for (const node of nodes) assert.deepStrictEqual(filesWith(node.data, marker), [])
        yield* equalHash(nodes)

        for (const node of nodes) {
          const history = yield* node.request("GET", `/api/products/${id}/history`)
          assert.deepStrictEqual(
            history.body.items.map(({ data, erased, event, version }: Record<string, unknown>) => {
              return { data, erased, event, version }
            }),
            [
              { data: undefined, erased: true, event: "created", version: 1 },
              { data: undefined, erased: true, event: "updated", version: 2 },
              { data: undefined, erased: true, event: "deleted", version: 3 }
            ]
          )
          assert.strictEqual(
            (yield* node.request("GET", `/api/products/${id}?at=1`)).body.type,
            "urn:lithair:problem:record-erased"
          )
          const kept = yield* node.request("GET", `/api/products/${otherId}/history`)
          assert.strictEqual(kept.body.items.length, 2)
          assert.strictEqual(kept.body.items[0].data.price, "2.00")
        }
        const copy = yield* first.request("PUT", `/api/products/${id}`, {
          body: { name: `Nail ${marker}`, price: "1.00", category: marker },
          headers: key
        })
        assert.strictEqual(copy.status, 410)
        assert.strictEqual(copy.body.type, "urn:lithair:problem:operation-erased")

        // All of them start again on what is left, and go on.
        for (const node of nodes) yield* node.stop("SIGTERM")
        for (const node of nodes) yield* node.start
        yield* allReady(nodes)
        yield* put(first, `/api/products/${id}`, { name: "Anvil", price: "4.00" })
        yield* equalHash(nodes)
        for (const node of nodes) assert.deepStrictEqual(filesWith(node.data, marker), [])
      }),
    120_000
  )
})
