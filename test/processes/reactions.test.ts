/** An operator and a poison event, on three real processes whose leader is killed with -9. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { allReady, eventually, expectThat, leaderOf, startCluster, type TestNode } from "./Processes.ts"
import { assertProblem } from "./Served.ts"

const script = fileURLToPath(new URL("salesNode.ts", import.meta.url))

interface Shown {
  readonly running: boolean
  readonly stumbles?: { readonly at: string; readonly sinceMs: number; readonly failure: string }
  readonly parked: ReadonlyArray<{ readonly at: string; readonly due: boolean }>
}

const place = (node: TestNode, customer: string) =>
  Effect.map(node.request("POST", "/api/orders", { body: { customer, cents: 1 } }), ({ status }) =>
    assert.strictEqual(status, 201)
  )

const shownBy = (node: TestNode) =>
  Effect.map(node.request("GET", "/_admin/api/reactions"), ({ body }) => body.items[0] as Shown)

describe("a poison event on three processes", () => {
  it.live(
    "is known on every node, outlives the leader, is parked from a follower, and runs once it is repaired",
    () =>
      Effect.gen(function* () {
        const directory = yield* Effect.acquireRelease(
          Effect.sync(() => mkdtempSync(join(tmpdir(), "lithair-poison-"))),
          (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
        )
        const mails = join(directory, "mails.txt")
        const nodes = yield* startCluster(
          ["node", "bun", "deno"],
          () => Effect.succeed({ SALES_MAILS: mails, SALES_VERSION: "1" }),
          script
        )
        const sent = () =>
          existsSync(mails)
            ? readFileSync(mails, "utf8")
                .split("\n")
                .flatMap((line) => line.split(" ")[2] ?? [])
            : []
        const steer = (node: TestNode, action: string, at: string, headers: Record<string, string> = {}) =>
          node.request("POST", "/_admin/api/reactions/mail", { body: { action, at }, headers })
        yield* allReady(nodes)
        const former = yield* leaderOf(nodes)
        yield* place(former, "nobody")
        yield* place(former, "ann")
        const stumbles = yield* eventually(
          "every node says over what the reaction stumbles, and since when",
          Effect.gen(function* () {
            const all = yield* Effect.forEach(nodes, (node) => Effect.map(shownBy(node), ({ stumbles }) => stumbles))
            const texts = new Set(all.map((each) => JSON.stringify(each)))
            yield* expectThat(texts.size === 1 && all[0] !== undefined, "they agree")
            return all[0]!
          })
        )
        assert.strictEqual(stumbles.failure, "no such address")
        assert.deepStrictEqual(sent(), [])

        yield* former.stop("SIGKILL")
        const rest = nodes.filter((node) => node !== former)
        const leader = yield* eventually(
          "another node leads, and runs the reaction",
          Effect.gen(function* () {
            const leader = yield* leaderOf(rest)
            const { running } = yield* shownBy(leader)
            yield* expectThat(running, "it runs")
            return leader
          })
        )
        const follower = rest.find((node) => node !== leader)!
        assert.deepStrictEqual((yield* shownBy(follower)).stumbles, stumbles, "it began to stumble before")

        const { at } = stumbles
        assertProblem(yield* steer(follower, "skip", "1.0"), 409, "reaction-refused")
        assertProblem(yield* steer(follower, "skip", at, { authorization: "Bearer wrong" }), 401, "unauthenticated")
        assertProblem(yield* steer(follower, "forget", at), 400, "invalid-request")
        assertProblem(
          yield* follower.request("POST", "/_admin/api/reactions/males", { body: { action: "skip", at } }),
          404,
          "not-found"
        )
        assert.strictEqual((yield* steer(follower, "park", at)).status, 200)
        yield* eventually(
          "the event behind it is mailed",
          Effect.suspend(() => expectThat(sent().includes("ann"), "it is"))
        )
        assert.isFalse(sent().includes("nobody"))

        yield* former.start
        yield* allReady(nodes)
        writeFileSync(`${mails}.repaired`, "")
        assert.strictEqual((yield* steer(former, "retry", at)).status, 200)
        yield* eventually(
          "the parked event is mailed, and no node has it parked",
          Effect.gen(function* () {
            const all = yield* Effect.forEach(nodes, shownBy)
            const isOver = all.every(({ parked }) => parked.length === 0)
            yield* expectThat(isOver && sent().includes("nobody"), "it is")
          })
        )
      }).pipe(Effect.scoped),
    120_000
  )
})
