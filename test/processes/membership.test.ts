/** Members that come and go while clients write: joint consensus over real processes (§6, diss. 4). */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import type { Profile } from "../../src/Testing/simulator/Profile.ts"
import { moreWrites, underLoad, verify } from "./Load.ts"
import {
  clusterOf,
  eventually,
  expectThat,
  ifMembers,
  joinCluster,
  leaderOf,
  startCluster,
  type TestNode
} from "./Processes.ts"

/** The ids of the voters, as this node knows them. */
const votersOf = (node: TestNode) =>
  Effect.map(node.request("GET", "/_admin/api/members"), ({ body }) =>
    (body.members as ReadonlyArray<{ id: string; voter: boolean }>)
      .filter(({ voter }) => voter)
      .map(({ id }) => id)
      .toSorted()
  )

const untilVoters = (node: TestNode, voters: ReadonlyArray<TestNode>) =>
  eventually(
    `the voters are ${voters.map(({ id }) => id).join(", ")}`,
    Effect.flatMap(votersOf(node), (ids) =>
      expectThat(
        ids.join() ===
          voters
            .map(({ id }) => id)
            .toSorted()
            .join(),
        `they are ${ids.join(", ")}`
      )
    )
  )

/** One change at a time: a refusal that says so passes. */
const administer = (node: TestNode, method: string, path: string, body?: unknown) =>
  eventually(
    `${method} ${path} is done`,
    Effect.gen(function* () {
      const headers = method === "POST" ? {} : yield* ifMembers(node)
      const answer = yield* node.request(method, `/_admin/api/${path}`, {
        headers,
        ...(body === undefined ? {} : { body })
      })
      yield* expectThat(answer.status === 200, `it was answered ${answer.status}: ${JSON.stringify(answer.body)}`)
    })
  )

describe("members that come and go", () => {
  it.live(
    "3 grow to 5, the leader moves, a dead node is replaced, and 5 shrink to 3, under load: no write is lost",
    () =>
      Effect.gen(function* () {
        const [a, b, c] = (yield* startCluster(["node", "node", "node"])) as [TestNode, TestNode, TestNode]
        let profile: Profile = "mixed"
        const { result: final, written } = yield* underLoad(
          { nodes: [a, b], clients: 6, prefix: "members", profile: () => profile },
          (written) =>
            Effect.gen(function* () {
              yield* moreWrites(written, 50)
              profile = "read-only"
              const d = yield* joinCluster(a)
              profile = "write-only"
              const e = yield* joinCluster(b)
              profile = "mixed"
              yield* untilVoters(a, [a, b, c, d, e])
              yield* moreWrites(written, 50)
              yield* administer(c, "POST", "leader:transfer", { to: d.id })
              yield* eventually(
                "the chosen node leads",
                Effect.flatMap(clusterOf(a), ({ leader }) => expectThat(leader === d.id, `${leader} leads`))
              )
              yield* moreWrites(written, 50)
              yield* e.stop("SIGKILL")
              const f = yield* joinCluster(b)
              yield* administer(a, "PUT", "members", { voters: [a, b, c, d, f].map(({ id }) => id) })
              yield* untilVoters(a, [a, b, c, d, f])
              yield* moreWrites(written, 50)
              // The leader itself is among those that go.
              yield* administer(a, "DELETE", `members/${d.id}`)
              yield* administer(a, "DELETE", `members/${c.id}`)
              yield* untilVoters(a, [a, b, f])
              yield* moreWrites(written, 50)
              assert.include([a.id, b.id, f.id], (yield* leaderOf([a, b, f])).id)
              return [a, b, f]
            })
        )
        yield* verify(final, written)
      }).pipe(Effect.scoped),
    120_000
  )

  it.live(
    "an impossible change is refused, by type: a stranger, a second member of one name, the last voter, nobody",
    () =>
      Effect.gen(function* () {
        const [only] = (yield* startCluster(["node"])) as [TestNode]
        const ask = (method: string, path: string, body?: unknown) =>
          Effect.gen(function* () {
            const headers = method === "DELETE" ? yield* ifMembers(only) : {}
            const answer = yield* only.request(method, `/_admin/api/${path}`, {
              headers,
              ...(body === undefined ? {} : { body })
            })
            return [answer.status, answer.body.reason ?? answer.body.type]
          })
        const twin = { id: only.id, address: only.id, instanceId: "another" }
        assert.deepStrictEqual(yield* ask("POST", "members", twin), [409, "alreadyMember"])
        assert.deepStrictEqual(yield* ask("DELETE", `members/${only.id}`), [409, "noVoters"])
        assert.deepStrictEqual(yield* ask("DELETE", "members/nobody"), [404, "urn:lithair:problem:not-found"])
        assert.deepStrictEqual(yield* ask("POST", "members/nobody:promote"), [404, "urn:lithair:problem:not-found"])
        assert.deepStrictEqual(yield* ask("POST", "leader:transfer", {}), [409, "noTarget"])
        const invalid = [400, "urn:lithair:problem:invalid-request"]
        assert.deepStrictEqual(yield* ask("POST", "members", { id: 1 }), invalid)
        // No hello of such a member could be read, nor any request line name it.
        for (const field of ["id", "address", "instanceId"]) {
          const member = { id: "n", address: "127.0.0.1:1", instanceId: "i", [field]: "é".repeat(129) }
          assert.deepStrictEqual(yield* ask("POST", "members", member), invalid)
        }
      }).pipe(Effect.scoped)
  )
})
