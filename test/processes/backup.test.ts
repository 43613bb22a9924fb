/** Backup, restore and recovery with real processes: the command line, and nodes that are killed. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { basename, join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { bucket, credentials, startS3 } from "../support/S3Server.ts"
import {
  allReady,
  clusterOf,
  eventually,
  exampleScript,
  expectThat,
  freePort,
  joinCluster,
  leaderOf,
  listAll,
  makeNode,
  runToEnd,
  startCluster,
  type TestNode
} from "./Processes.ts"
import { readSpent } from "./Sales.ts"

/** Each test starts some twenty processes. */
const timeoutMs = 240_000

const backupScript = fileURLToPath(new URL("../../examples/backup.ts", import.meta.url))
const salesScript = fileURLToPath(new URL("salesNode.ts", import.meta.url))
const cli = fileURLToPath(new URL("../../src/cli.ts", import.meta.url))

/** Runs `lithair` to its end. */
const lithair = (...flags: ReadonlyArray<string>) => runToEnd(flags, cli)

/** Runs it with `--json`, and gives its document. */
const lithairJson = Effect.fnUntraced(function* (...flags: ReadonlyArray<string>) {
  const { code, stderr, stdout } = yield* lithair(...flags, "--json")
  assert.strictEqual(code, 0, stderr)
  return JSON.parse(stdout)
})

const scratch = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "lithair-backup-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
)

const create = (node: TestNode, name: string) =>
  Effect.tap(node.request("POST", "/api/products", { body: { name, price: "1.00" } }), ({ body, status }) =>
    expectThat(status === 201, `${name.slice(0, 40)} is created: ${JSON.stringify(body).slice(0, 500)}`)
  )

const createMany = (node: TestNode, prefix: string, count: number) =>
  Effect.forEach(
    Array.from({ length: count }, (_, at) => `${prefix}${at}`),
    (name) => create(node, name),
    { concurrency: 8 }
  )

/** A restored node that runs on its directory. */
const started = Effect.fnUntraced(function* (data: string, port: number) {
  const node = yield* makeNode("node", port, { flags: [], data, environment: {}, script: exampleScript })
  yield* node.start
  yield* allReady([node])
  return node
})

const ended = (node: TestNode) =>
  eventually(
    () => `${node.id} ends by itself; it said ${node.output()}`,
    Effect.suspend(() => expectThat(!node.isRunning(), "it has ended")),
    30_000
  )

const named = (items: ReadonlyArray<Record<string, unknown>>) => items.map(({ name }) => String(name)).toSorted()

describe("backup", () => {
  it.live(
    "taken under load restores to the same state hash at its index; two restores share nothing",
    () =>
      Effect.gen(function* () {
        const root = yield* scratch
        const nodes = yield* startCluster(["node", "node", "node"])
        const [a, b] = nodes as [TestNode, TestNode, TestNode]
        yield* createMany(a, "early", 100)
        const load = yield* Effect.forkChild(createMany(b, "late", 300))
        const archive = join(root, "shop.lithair")
        const taken = yield* lithairJson("backup", b.url, "--after", "0", "--out", archive)
        yield* Fiber.join(load)
        const verified = yield* lithairJson("verify", archive)
        assert.deepStrictEqual([verified.stateHash, verified.index], [taken.stateHash, taken.index])
        assert.strictEqual((yield* lithair("backup", b.url, "--out", archive)).code, 1, "it does not replace a file")

        const bytes = readFileSync(archive)
        const damaged = join(root, "damaged.lithair")
        for (const at of [0, 9, 40, Math.floor(bytes.length / 2), bytes.length - 1]) {
          writeFileSync(
            damaged,
            bytes.map((byte, index) => (index === at ? byte ^ 1 : byte))
          )
          assert.strictEqual((yield* lithair("verify", "--quick", damaged)).code, 1, `byte ${at}`)
          const target = join(root, "damaged")
          const refused = yield* lithair("restore", damaged, "--directory", target, "--address", "127.0.0.1:9", "--yes")
          assert.strictEqual(refused.code, 1)
        }

        const exported = yield* lithair("export", archive, "--model", "Product")
        const rows = exported.stdout
          .trim()
          .split("\n")
          .map((line) => JSON.parse(line))
        const ports = [yield* freePort, yield* freePort]
        const restored = yield* Effect.forEach(ports, (port, at) =>
          lithairJson(
            "restore",
            archive,
            "--directory",
            join(root, `r${at}`),
            "--address",
            `127.0.0.1:${port}`,
            "--yes"
          )
        )
        for (const each of restored)
          assert.deepStrictEqual([each.stateHash, each.index], [taken.stateHash, taken.index])
        assert.isAbove(Math.abs(restored[0].base - restored[1].base), 1_000, "their bases are apart")

        const copies = yield* Effect.forEach(ports, (port, at) => started(join(root, `r${at}`), port))
        const given: Array<{ readonly index: number; readonly version: number }> = []
        for (const [at, node] of copies.entries()) {
          const items = yield* listAll(node, "products")
          assert.deepStrictEqual(
            named(items),
            rows.map(({ record }) => String(record.name)).toSorted(),
            "the records are those of the archive"
          )
          const cluster = yield* clusterOf(node)
          assert.notStrictEqual(cluster.clusterId, taken.clusterId)
          const { id } = items[0] as { readonly id: string }
          const before = yield* node.request("GET", `/api/products/${id}`)
          assert.strictEqual(before.headers.get("etag"), '"1"', "rows keep their versions")
          const patched = yield* node.request("PATCH", `/api/products/${id}`, {
            body: { price: "2.00" },
            headers: { "content-type": "application/merge-patch+json" }
          })
          assert.strictEqual(patched.status, 200, JSON.stringify(patched.body))
          const fresh = yield* create(node, "fresh")
          const index = Number(fresh.headers.get("lithair-index"))
          for (const answer of [patched, fresh]) {
            const version = Number(answer.headers.get("etag")?.replaceAll('"', ""))
            assert.isAbove(version, restored[at].base, "the next version is above the floor")
            given.push({ index, version })
          }
          assert.isAbove(index, restored[at].base)
          const read = yield* node.request("GET", "/api/products?limit=1&consistency=session", {
            headers: { "lithair-min-index": String(index) }
          })
          assert.strictEqual(read.status, 200, JSON.stringify(read.body))
        }
        const [one, other] = [given.slice(0, 2), given.slice(2)]
        for (const mine of one) {
          assert.isFalse(other.some(({ index, version }) => index === mine.index || version === mine.version))
        }

        const joined = yield* joinCluster(copies[0]!)
        assert.deepStrictEqual(named(yield* listAll(joined, "products")), named(yield* listAll(copies[0]!, "products")))
        // A hash is that of an index: both may apply the next entry between the two questions.
        const both = yield* eventually(
          "both nodes have applied the same entries",
          Effect.tap(Effect.all([clusterOf(copies[0]!), clusterOf(joined)]), ([whole, part]) =>
            expectThat(part.appliedIndex === whole.appliedIndex, "they have")
          )
        )
        assert.strictEqual(both[1].stateHash, both[0].stateHash)
        assert.isNull(both[0].stateDifference)
      }).pipe(Effect.scoped),
    timeoutMs
  )

  it.live(
    "restores to a point in time, by index and by time",
    () =>
      Effect.gen(function* () {
        const root = yield* scratch
        const [node] = (yield* startCluster(["node"])) as [TestNode]
        yield* create(node, "kept")
        const first = yield* create(node, "last")
        const index = first.headers.get("lithair-index") ?? ""
        const time = new Date(Date.now() + 1).toISOString()
        yield* eventually(
          "time passes",
          Effect.suspend(() => expectThat(Date.now() > Date.parse(time) + 1, "it does"))
        )
        yield* create(node, "mistake")
        const archive = join(root, "shop.lithair")
        yield* lithairJson("backup", node.url, "--after", "0", "--out", archive)
        for (const [at, point] of [index, time].entries()) {
          const directory = join(root, `r${at}`)
          const port = yield* freePort
          yield* lithairJson(
            "restore",
            archive,
            "--directory",
            directory,
            "--address",
            `127.0.0.1:${port}`,
            "--at",
            point,
            "--yes"
          )
          const restored = yield* started(directory, port)
          assert.deepStrictEqual(named(yield* listAll(restored, "products")), ["kept", "last"], point)
          const again = yield* lithair(
            "restore",
            archive,
            "--directory",
            directory,
            "--address",
            "127.0.0.1:9",
            "--yes"
          )
          assert.strictEqual(again.code, 1, "a directory in use is refused")
        }
      }).pipe(Effect.scoped),
    timeoutMs
  )
})

describe("the endpoint of archives", () => {
  it.live(
    "makes one archive at a time, for those who may have it, until its client is gone",
    () =>
      Effect.gen(function* () {
        const [node] = (yield* startCluster(["node"])) as [TestNode]
        // More than the sockets between the two take.
        for (let at = 0; at < 40; at++) yield* create(node, `${"x".repeat(500_000)}${at}`)
        const path = "/_admin/api/backup"
        const open = (headers: Record<string, string> = {}) =>
          Effect.promise((signal) => fetch(node.url + path, { headers, signal }))
        const stranger = yield* open({ "x-forwarded-for": "192.0.2.1" })
        assert.strictEqual(stranger.status, 403)
        const unread = new AbortController()
        const first = yield* Effect.promise(() => fetch(node.url + path, { signal: unread.signal }))
        assert.strictEqual(first.status, 200)
        const second = yield* node.request("GET", path)
        assert.deepStrictEqual(
          [second.status, second.body.type, second.body.definite],
          [503, "urn:lithair:problem:overloaded", true]
        )
        assert.strictEqual((yield* lithair("backup", node.url, "--out", join(node.data, "..", "x"))).code, 3)
        // Writes and reads go on.
        yield* create(node, "meanwhile")
        unread.abort()
        const archive = yield* eventually(
          "the next one is made",
          Effect.tap(open(), ({ status }) => expectThat(status === 200, String(status)))
        )
        assert.isAbove((yield* Effect.promise(() => archive.arrayBuffer())).byteLength, 19_000_000)
      }).pipe(Effect.scoped),
    timeoutMs
  )
})

describe("projections of a restored cluster", () => {
  it.live(
    "fold the whole history of an archive that has it, and otherwise each record as created",
    () =>
      Effect.gen(function* () {
        const root = yield* scratch
        const environment = { SALES_MAILS: join(root, "mails.txt"), SALES_VERSION: "1" }
        const [old] = (yield* startCluster(["node"], () => Effect.succeed(environment), salesScript)) as [TestNode]
        const order = (customer: string, cents: number) =>
          Effect.tap(old.request("POST", "/api/orders", { body: { customer, cents } }), ({ status }) =>
            expectThat(status === 201, "the order is placed")
          )
        for (const customer of ["ann", "bob", "cay"]) yield* order(customer, 5)
        const { body } = yield* order("ann", 7)
        const gone = yield* order("dan", 9)
        yield* old.request("DELETE", `/api/orders/${gone.body.id}`)
        const patched = yield* old.request("PATCH", `/api/orders/${body.id}`, {
          body: { cents: 8 },
          headers: { "content-type": "application/merge-patch+json" }
        })
        assert.strictEqual(patched.status, 200)
        const lines = (yield* old.request("GET", "/api/_projections/history")).body
        assert.strictEqual(lines.length, 7)
        const { spent } = yield* readSpent(old)
        yield* lithairJson("backup", old.url, "--after", "0", "--out", join(root, "whole"))
        yield* lithairJson("backup", old.url, "--out", join(root, "state"))

        /** A restored node, and what it read. */
        const restoredFrom = Effect.fnUntraced(function* (name: string) {
          const port = yield* freePort
          const data = join(root, `${name}-data`)
          const into = ["--directory", data, "--address", `127.0.0.1:${port}`, "--yes"]
          yield* lithairJson("restore", join(root, name), ...into)
          const node = yield* makeNode("node", port, { flags: [], data, environment, script: salesScript })
          yield* node.start
          yield* allReady([node])
          return node
        })
        const read = Effect.fnUntraced(function* (node: TestNode) {
          const history = yield* node.request("GET", "/api/_projections/history")
          yield* expectThat(history.status === 200, JSON.stringify(history.body))
          return { history: history.body as ReadonlyArray<string>, spent: (yield* readSpent(node)).spent }
        })
        const ordersIn = ({ data }: TestNode) =>
          eventually(
            "the file has the orders",
            Effect.try(() => {
              const database = new DatabaseSync(join(data, "derived/orders.v1.sqlite"), { readOnly: true })
              const rows = database.prepare("SELECT customer, cents FROM orders ORDER BY customer, cents").all()
              database.close()
              if (rows.length !== 5) throw new Error(`${rows.length} rows`)
              return rows.map((row) => `${row.customer} ${row.cents}`)
            })
          )

        /** A node that joins has the history of the time before from its peers. */
        const joined = Effect.fnUntraced(function* (through: TestNode) {
          const port = yield* freePort
          const flags = ["--join", through.id]
          const options = { flags, data: `${through.data}-joined`, environment, script: salesScript }
          const node = yield* makeNode("node", port, options)
          yield* node.start
          yield* allReady([node])
          return node
        })
        const whole = yield* restoredFrom("whole")
        assert.deepStrictEqual(yield* read(whole), { history: lines, spent })
        const state = yield* restoredFrom("state")
        const first = yield* read(state)
        assert.deepStrictEqual(
          first.history.map((line) => line.split(" ")).map((words) => `${words[1]} ${words[4]}`),
          ["created v1", "created v1", "created v1", "created v2"]
        )
        assert.deepStrictEqual(first.spent, {
          ann: { orders: 2, cents: 13 },
          bob: { orders: 1, cents: 5 },
          cay: { orders: 1, cents: 5 }
        })
        for (const node of [whole, state]) {
          const made = yield* node.request("POST", "/api/orders", { body: { customer: "eve", cents: 1 } })
          assert.strictEqual(made.status, 201)
          assert.deepInclude((yield* read(node)).spent, { eve: { orders: 1, cents: 1 } })
          const other = yield* joined(node)
          const both = yield* eventually(
            () => `the projections of the node that joined are those of the other; it said ${other.output()}`,
            Effect.gen(function* () {
              const both = [yield* read(node), yield* read(other)]
              yield* expectThat(JSON.stringify(both[0]) === JSON.stringify(both[1]), JSON.stringify(both))
              return both
            }),
            60_000
          )
          assert.deepInclude(both[1]!.spent, { eve: { orders: 1, cents: 1 } })
          assert.deepStrictEqual(yield* ordersIn(node), ["ann 5", "ann 8", "bob 5", "cay 5", "eve 1"])
          const { items } = (yield* node.request("GET", "/api/_projections")).body
          assert.isTrue(
            items.every(({ lag }: { readonly lag: number }) => lag === 0),
            JSON.stringify(items)
          )
        }
      }).pipe(Effect.scoped),
    timeoutMs
  )
})

describe("scheduled backups", () => {
  it.live(
    "go to S3 from whichever node leads, and a lost cluster comes back from there, to its end and to a moment",
    () =>
      Effect.gen(function* () {
        const root = yield* scratch
        const { endpoint } = yield* startS3
        const place = `s3://${bucket}/shop`
        const environment = {
          LITHAIR_BACKUPS: place,
          AWS_ACCESS_KEY_ID: credentials.accessKeyId,
          AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
          AWS_ENDPOINT_URL: endpoint
        }
        const stored = (...flags: ReadonlyArray<string>) =>
          Effect.map(runToEnd([...flags, "--json"], cli, environment), ({ code, stderr, stdout }) => {
            assert.strictEqual(code, 0, stderr)
            return JSON.parse(stdout)
          })
        const nodes = yield* startCluster(["node", "node", "node"], () => Effect.succeed(environment), backupScript)
        /** The leader ships, and has shipped all. */
        const shipped = (running: ReadonlyArray<TestNode>) =>
          eventually(
            () => `all is in the store; a node said ${running[0]?.output()}`,
            Effect.gen(function* () {
              const leader = yield* leaderOf(running)
              const { items } = (yield* leader.request("GET", "/_admin/api/backups")).body
              yield* expectThat(
                items[0].shipping && items[0].lag === 0 && items[0].state !== null,
                JSON.stringify(items)
              )
              assert.strictEqual(items[0].store, `${place}/`)
            }),
            30_000
          )
        const [early] = yield* createMany(nodes[0]!, "early", 20)
        const path = `/api/products/${early!.body.id}`
        const price = (node: TestNode, price: string) =>
          Effect.flatMap(
            node.request("PATCH", path, {
              body: { price },
              headers: { "content-type": "application/merge-patch+json" }
            }),
            ({ body, status }) => expectThat(status === 200, JSON.stringify(body))
          )
        yield* price(nodes[1]!, "2.00")
        yield* shipped(nodes)
        const leader = yield* leaderOf(nodes)
        yield* leader.stop("SIGKILL")
        const left = nodes.filter((node) => node !== leader)
        yield* eventually("the others have a leader", Effect.asVoid(leaderOf(left)), 30_000)
        const last = yield* create(left[0]!, "kept")
        const index = last.headers.get("lithair-index") ?? ""
        yield* createMany(left[1]!, "late", 20)
        yield* price(left[1]!, "3.00")
        yield* shipped(left)
        const told = (yield* left[0]!.request("GET", `${path}/history`)).body
        assert.deepStrictEqual([told.items.length, told.complete], [3, true])
        const { stateHash } = yield* clusterOf(left[0]!)
        yield* Effect.forEach(left, (node) => node.stop("SIGKILL"), { concurrency: "unbounded" })

        const verified = yield* stored("verify", place)
        assert.deepInclude(verified, { kind: "store", intact: true, stateHash, gaps: [] })
        const inspected = yield* stored("inspect", place)
        assert.strictEqual(inspected.states[0].lastIndex, verified.index)
        for (const [at, names] of [
          [undefined, 41],
          [index, 21]
        ] as const) {
          const port = yield* freePort
          const data = join(root, `r-${at}`)
          const flags = ["--directory", data, "--address", `127.0.0.1:${port}`, "--yes"]
          const made = yield* stored("restore", place, ...flags, ...(at === undefined ? [] : ["--at", at]))
          const node = yield* started(data, port)
          assert.strictEqual((yield* listAll(node, "products")).length, names)
          // What the archives hold of the time before is there, on a node that joins too.
          const changes = at === undefined ? 3 : 2
          const history = (node: TestNode) => Effect.map(node.request("GET", `${path}/history`), ({ body }) => body)
          const known = yield* history(node)
          const isOfChange = (item: { readonly ofState?: true }) => item.ofState !== true
          assert.deepStrictEqual(
            known.items.filter(isOfChange),
            told.items.slice(0, changes).filter((_: unknown, at: number) => isOfChange(known.items[at]))
          )
          assert.deepStrictEqual([known.items.length, known.complete], [changes, true])
          for (const { data, version } of told.items.slice(0, changes)) {
            const then = yield* node.request("GET", `${path}?at=${version}`)
            assert.deepStrictEqual([then.status, then.body.price], [200, data.price])
          }
          const before = yield* node.request("GET", `${path}?at=2020-01-01T00:00:00Z`)
          const isFromState = known.items.some((item: { readonly ofState?: true }) => item.ofState === true)
          assert.strictEqual(before.status, isFromState ? 410 : 404)
          yield* price(node, "9.00")
          const after = yield* history(node)
          assert.deepStrictEqual(after.items.slice(0, changes), known.items)
          assert.isAbove(after.items[changes].version, made.base)
          const joinedPort = yield* freePort
          const joined = yield* makeNode("node", joinedPort, {
            flags: ["--join", node.id],
            data: `${data}-joined`,
            environment: {},
            script: exampleScript
          })
          yield* joined.start
          yield* allReady([joined])
          yield* eventually(
            () => `it has fetched the history; it said ${joined.output()}`,
            Effect.flatMap(history(joined), (body) =>
              expectThat(JSON.stringify(body) === JSON.stringify(after), JSON.stringify(body))
            ),
            30_000
          )
        }
        const port = yield* freePort
        const data = join(root, "state-only")
        const flags = ["--directory", data, "--address", `127.0.0.1:${port}`, "--yes", "--no-history"]
        yield* stored("restore", place, ...flags)
        const gone = yield* (yield* started(data, port)).request("GET", `${path}?at=1`)
        assert.deepStrictEqual([gone.status, gone.body.oldestVersion], [410, 3])
      }).pipe(Effect.scoped),
    timeoutMs
  )

  it.live(
    "to a directory are read there; a state by hand goes beside them; a damaged one is named, and without it the one before serves",
    () =>
      Effect.gen(function* () {
        const root = yield* scratch
        const place = join(root, "store")
        const [node] = (yield* startCluster(
          ["node"],
          () => Effect.succeed({ LITHAIR_BACKUPS: place }),
          backupScript
        )) as [TestNode]
        yield* createMany(node, "p", 10)
        const inStore = (ending: string) =>
          Effect.try(() => {
            const [folder = ""] = readdirSync(place)
            const names = readdirSync(join(place, folder)).filter((name) => name.endsWith(ending))
            if (names.length === 0) throw new Error("nothing")
            return names.toSorted().map((name) => join(place, folder, name))
          })
        yield* eventually("entries are there", inStore(".entries.lithair"))
        const taken = yield* lithairJson("backup", node.url, "--out", place)
        assert.include(taken.file, `${taken.clusterId}/`)
        yield* eventually(
          "the entries that lead to the state by hand are there",
          Effect.flatMap(node.request("GET", "/_admin/api/backups"), ({ body }) =>
            expectThat(body.items[0].lag === 0, `all entries are shipped: ${JSON.stringify(body)}`)
          )
        )
        const states = yield* inStore(".snapshot.lithair")
        assert.strictEqual(states.length, 2)
        assert.strictEqual((yield* lithairJson("verify", place)).states, 2)
        const exported = yield* lithair("export", place, "--model", "Product")
        assert.strictEqual(exported.stdout.trim().split("\n").length, 10)

        const newest = states[1]!
        const bytes = readFileSync(newest)
        writeFileSync(
          newest,
          bytes.map((byte, at) => (at === bytes.length >> 1 ? byte ^ 4 : byte))
        )
        const damaged = yield* lithair("verify", place)
        assert.deepStrictEqual([damaged.code, damaged.stderr.includes(basename(newest))], [1, true], damaged.stderr)
        const port = yield* freePort
        const data = join(root, "r")
        const into = ["--directory", data, "--address", `127.0.0.1:${port}`, "--yes"]
        // The way from the oldest state does not need it, the shortest one does.
        assert.strictEqual((yield* lithair("restore", place, ...into, "--no-history")).code, 1)
        rmSync(newest)
        yield* lithairJson("restore", place, ...into)
        assert.strictEqual((yield* listAll(yield* started(data, port), "products")).length, 10)
        assert.strictEqual((yield* lithair("verify", root)).code, 1, "no backup is there")
      }).pipe(Effect.scoped),
    timeoutMs
  )
})

describe("recover", () => {
  it.live(
    "makes a cluster from one of three directories; the former majority comes back, meets it and stops",
    () =>
      Effect.gen(function* () {
        const nodes = yield* startCluster(["node", "node", "node"])
        const [a, b, c] = nodes.toSorted((one, other) => (one.id < other.id ? -1 : 1)) as [TestNode, TestNode, TestNode]
        yield* createMany(a, "p", 20)
        yield* Effect.forEach(nodes, (node) => node.stop("SIGKILL"), { concurrency: "unbounded" })
        const surveyed = yield* lithairJson("recover", "--survey", ...nodes.map(({ data }) => data))
        const best = surveyed.directories.find(({ directory }: { directory: string }) => directory === surveyed.best)
        const chosen = nodes.find(({ data }) => data === surveyed.best)!
        const last = `${best.lastTerm}.${best.lastIndex}`
        const place = ["--address", chosen.id, "--yes"]
        const wrong = yield* lithair("recover", chosen.data, ...place, "--accept-loss-after", `${best.lastTerm}.1`)
        assert.strictEqual(wrong.code, 1, wrong.stderr)
        const asked = yield* lithair("recover", chosen.data, "--address", chosen.id, "--accept-loss-after", last)
        assert.strictEqual(asked.code, 2, "nobody can be asked")
        const made = yield* lithairJson("recover", chosen.data, ...place, "--accept-loss-after", last)
        yield* chosen.start
        yield* allReady([chosen])
        assert.strictEqual((yield* listAll(chosen, "products")).length, 20)
        const cluster = yield* clusterOf(chosen)
        assert.deepStrictEqual([cluster.clusterId, cluster.nodes.length], [made.clusterId, 1])

        const others = [a, b, c].filter((node) => node !== chosen)
        yield* Effect.forEach(others, (node) => node.start)
        for (const node of others) {
          yield* ended(node)
          assert.strictEqual(yield* node.stop("SIGTERM"), 78, node.output())
          assert.include(node.output(), "took the place of")
        }
        yield* create(chosen, "on")
        const joined = yield* joinCluster(chosen)
        assert.strictEqual((yield* listAll(joined, "products")).length, 21)
      }).pipe(Effect.scoped),
    timeoutMs
  )
})
