/**
 * A real disk that runs short, on a machine that permits to mount one (vitest.config.ts): elsewhere the same is tested on
 * files that refuse (diskSpace.test.ts). Writes are refused before anything breaks, and go on once there is room.
 */
import { spawnSync } from "node:child_process"
import { cpSync, mkdirSync, renameSync, rmSync } from "node:fs"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { valueIn } from "../Http/PrometheusText.ts"
import { underLoad, verify } from "./Load.ts"
import {
  allReady,
  clusterOf,
  eventually,
  expectThat,
  leaderOf,
  metricsOf,
  startCluster,
  type TestNode
} from "./Processes.ts"

const mount = (...args: ReadonlyArray<string>) => spawnSync("mount", ["-t", "tmpfs", ...args]).status === 0
const unmount = (path: string) => spawnSync("umount", ["-l", path])

/** Moves the data of a node that has stopped to a disk of its own, in memory, until the scope closes. */
const onSmallDisk = (node: TestNode, size: string) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const aside = `${node.data}-aside`
      renameSync(node.data, aside)
      mkdirSync(node.data)
      assert.isTrue(mount("-o", `size=${size}`, "tmpfs", node.data))
      cpSync(aside, node.data, { recursive: true })
      rmSync(aside, { recursive: true })
    }),
    () => Effect.sync(() => unmount(node.data))
  )

/** Records of 300 kB, until this node says that its storage is full. */
const fill = (node: TestNode) =>
  eventually(
    "the disk is nearly full",
    Effect.flatMap(
      node.request("POST", "/api/products", { body: { name: "A".repeat(300_000), price: "1" } }),
      ({ body, status }) => expectThat(status === 507, `it was answered ${status} ${body.type}`)
    )
  )

describe("a disk that runs short", () => {
  it.live(
    "its node answers writes with 507 and reads on, another leads, and it takes writes again once there is room",
    () =>
      Effect.gen(function* () {
        const nodes = yield* startCluster(["node", "node", "node"])
        const short = yield* leaderOf(nodes)
        const others = nodes.filter((node) => node !== short)
        yield* short.stop("SIGTERM")
        // The segments of both of its logs, and half of a third.
        yield* onSmallDisk(short, "40m")
        yield* short.start
        yield* allReady(nodes)
        yield* eventually(
          "the node on the small disk leads",
          Effect.gen(function* () {
            yield* others[0]!.request("POST", "/_admin/api/leader:transfer", { body: { to: short.id } })
            const { leader } = yield* clusterOf(others[0]!)
            yield* expectThat(leader === short.id, `${leader} leads`)
          })
        )
        yield* fill(short)
        const freeBytes = Effect.map(metricsOf(short), (scraped) => valueIn(scraped, "lithair_disk_free_bytes")!)
        assert.isBelow(yield* freeBytes, 20_000_000, "an operator sees that the disk is nearly full")
        assert.include(
          short.output(),
          "The disk has no room for more of the log: this node takes no writes until it has"
        )
        const { result, written } = yield* underLoad({ nodes: others, clients: 2, prefix: "meanwhile" }, () =>
          Effect.gen(function* () {
            yield* eventually(
              "another node leads",
              Effect.flatMap(clusterOf(short), ({ leader }) => expectThat(leader !== short.id, `${leader} leads`))
            )
            const refused = yield* short.request("POST", "/api/products", { body: { name: "refused", price: "1" } })
            const read = yield* short.request("GET", "/api/products?limit=1&select=id")
            return { refused, read }
          })
        )
        assert.deepStrictEqual(
          [result.refused.status, result.refused.body.type, result.refused.body.definite, result.read.status],
          [507, "urn:lithair:problem:storage-full", true, 200]
        )
        written.refused.add("refused")
        assert.isTrue(mount("-o", "remount,size=200m", "tmpfs", short.data))
        yield* eventually(
          "the node takes writes again",
          Effect.flatMap(
            short.request("POST", "/api/products", { body: { name: "again", price: "1" } }),
            ({ status }) => expectThat(status === 201, `it was answered ${status}`)
          )
        )
        assert.isAbove(yield* freeBytes, 100_000_000)
        assert.include(short.output(), "There is room on the disk again: writes go on")
        yield* verify(nodes, written)
      }).pipe(Effect.scoped),
    120_000
  )
})
