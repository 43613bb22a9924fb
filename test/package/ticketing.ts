/** The ticketing example against the installed package: its own tests, and three nodes on three runtimes. */
import { join } from "node:path"
import { assert, type Vitest } from "@effect/vitest"
import { Effect } from "effect"
import { startIssuer } from "../processes/Issuer.ts"
import { eventually, expectThat, freePort, startCluster } from "../processes/Processes.ts"
import { output, Project } from "./Project.ts"

const showId = "00000000-0000-4000-8000-000000000001"

/** Its cases, for the installed package of `it`. */
export const ticketingCases = (it: Vitest.MethodsNonLive<Project>): void => {
  it.effect("passes the tests of ticketing", () =>
    Effect.gen(function* () {
      const { directory } = yield* Project
      const printed = yield* output({
        command: "npm",
        args: ["test", "--", "ticketing/ticketing.test.ts"],
        cwd: directory
      })
      assert.match(printed, /7 passed/)
    })
  )

  it.effect("runs ticketing on Node, Bun and Deno: sold through one node, counted on another, stopped in order", () =>
    Effect.gen(function* () {
      const { directory } = yield* Project
      const issuer = yield* startIssuer
      const by = (name: string) => Effect.map(issuer.tokenOf(name), (token) => ({ authorization: `Bearer ${token}` }))
      // Without a place for operators each node would listen on its port + 1000 too, which may be taken.
      const environment = () =>
        Effect.map(freePort, (port) => ({ TICKETING_ISSUER: issuer.url, LITHAIR_ADMIN_LISTEN: `${port}` }))
      const nodes = yield* startCluster(["node", "bun", "deno"], environment, join(directory, "ticketing/main.ts"))
      // The administration is on another port.
      const { headers } = yield* nodes[0]!.request("GET", "/readyz")
      const leader = nodes.find(({ id }) => id === headers.get("lithair-leader"))!
      const [follower, other] = nodes.filter((node) => node !== leader)

      const show = { id: showId, title: "Hamlet", seats: 1 }
      const opened = yield* leader.request("POST", "/manage/api/shows", { body: show, headers: yield* by("organizer") })
      assert.strictEqual(opened.status, 201)
      const buy = (name: string) =>
        Effect.flatMap(by(name), (headers) => follower!.request("POST", "/tickets", { body: { showId }, headers }))
      const bought = yield* buy("ada")
      assert.strictEqual(bought.status, 200)
      assert.deepInclude(bought.body, { showId, holder: "ada" })
      assert.strictEqual((yield* buy("bob")).status, 409)
      assert.deepStrictEqual((yield* other!.request("GET", "/sales")).body, [{ showId, sold: 1 }])

      for (const { request, runtime, url } of nodes) {
        assert.strictEqual((yield* request("GET", "/tickets")).status, 401, runtime)
        assert.include(yield* pageAt(url), "<h1>Tickets</h1>", runtime)
      }
      yield* eventually(
        "the leader mailed ada",
        Effect.suspend(() =>
          expectThat(
            nodes.some((node) => /Mail .* to ada/.test(node.output())),
            "a mail was sent"
          )
        )
      )
      const codes = yield* Effect.forEach(nodes, ({ stop }) => stop("SIGTERM"), { concurrency: "unbounded" })
      assert.deepStrictEqual(codes, [0, 0, 0])
    })
  )
}

const pageAt = (url: string): Effect.Effect<string> =>
  Effect.promise(async (signal) => await (await fetch(`${url}/`, { signal })).text())
