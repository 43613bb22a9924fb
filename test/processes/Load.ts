/** Clients that read and write until they are told that it is over, through nodes in turn, and remember the answer to each write. */
import { assert } from "@effect/vitest"
import { Effect, Fiber, Ref } from "effect"
import type { Profile } from "../../src/Testing/simulator/Profile.ts"
import { pause } from "./Pace.ts"
import { clusterOf, equalHash, eventually, expectThat, leaderOf, listAll, type TestNode } from "./Processes.ts"

/** The outcome of every written name. */
export interface Written {
  /** Answered 201, by the name and the id that it was given. */
  readonly acknowledged: Map<string, string>
  /** Answered as certainly not done. */
  readonly refused: Set<string>
  /** Anything else: it may be there or not. */
  readonly unknown: Set<string>
  /** Statuses and problems that no contract knows. */
  readonly unexpected: Array<string>
  /** When each acknowledged write was answered, in order. */
  readonly acknowledgedAtMs: Array<number>
  /** When each read was answered, in order. */
  readonly readAtMs: Array<number>
}

/** Runs `clients` clients until the given effect ends, then waits for their last answers. */
export const underLoad = <A, E, R>(
  options: {
    readonly nodes: ReadonlyArray<TestNode>
    readonly clients: number
    readonly prefix: string
    /** The present load; only writes by default. With `mixed` every other client reads. */
    readonly profile?: () => Profile
  },
  during: (written: Written) => Effect.Effect<A, E, R>
) =>
  Effect.gen(function* () {
    const written: Written = {
      acknowledged: new Map(),
      refused: new Set(),
      unknown: new Set(),
      unexpected: [],
      acknowledgedAtMs: [],
      readAtMs: []
    }
    const isOver = yield* Ref.make(false)
    const client = (number: number) =>
      Effect.gen(function* () {
        for (let count = 0; !(yield* Ref.get(isOver)); count++) {
          const name = `${options.prefix}-${number}-${count}`
          const node = options.nodes[(number + count) % options.nodes.length]!
          const profile = options.profile?.() ?? "write-only"
          const isReading = profile === "read-only" || (profile === "mixed" && number % 2 === 0)
          yield* isReading ? readOne(node, written) : writeOne(node, name, written)
          yield* pause(options.clients)
        }
      })
    const fibers = yield* Effect.forEach(Array.from({ length: options.clients }), (_, number) =>
      Effect.forkChild(client(number))
    )
    const result = yield* Effect.ensuring(during(written), Ref.set(isOver, true))
    yield* Effect.forEach(fibers, Fiber.join, { discard: true })
    return { result, written }
  })

const writeOne = (node: TestNode, name: string, written: Written) =>
  node.request("POST", "/api/products", { body: { name, price: "1" } }).pipe(
    Effect.match({
      onFailure: () => void written.unknown.add(name),
      onSuccess: ({ body, status }) => {
        if (status === 201) {
          written.acknowledged.set(name, body.id)
          written.acknowledgedAtMs.push(performance.now())
        } else if (status === 503 && body.definite === true) written.refused.add(name)
        else if (status === 504 && body.definite === false) written.unknown.add(name)
        else written.unexpected.push(`${status} ${JSON.stringify(body)}`)
      }
    })
  )

const readOne = (node: TestNode, written: Written) =>
  node.request("GET", "/api/products?limit=1").pipe(
    Effect.match({
      // A node that is gone, and one that finds no quorum, answers another time.
      onFailure: () => {},
      onSuccess: ({ body, status }) => {
        if (status === 200) written.readAtMs.push(performance.now())
        else if (status !== 503) written.unexpected.push(`read: ${status} ${JSON.stringify(body)}`)
      }
    })
  )

/** Every acknowledged write is on every node, nothing refused is anywhere, and all nodes hold the same. */
export const verify = Effect.fnUntraced(function* (nodes: ReadonlyArray<TestNode>, written: Written) {
  assert.deepStrictEqual(written.unexpected, [])
  yield* equalHash(nodes)
  const lists = yield* Effect.forEach(nodes, (node) => listAll(node, "products"))
  const names = new Map(lists[0]!.map(({ id, name }) => [name, id]))
  const lost = [...written.acknowledged].filter(([name, id]) => names.get(name) !== id)
  assert.deepStrictEqual(lost, [], "acknowledged writes are lost")
  const undead = [...written.refused].filter((name) => names.has(name))
  assert.deepStrictEqual(undead, [], "writes that were refused as certainly not done are there")
  for (const list of lists) assert.deepStrictEqual(list, lists[0])
  return names
})

/** Waits until `count` more reads or writes were answered. */
export const moreAnswers = ({ acknowledgedAtMs, readAtMs }: Written, count: number, timeoutMs = 30_000) => {
  const answered = () => acknowledgedAtMs.length + readAtMs.length
  const target = answered() + count
  const enough = Effect.suspend(() => expectThat(answered() >= target, "reads and writes go on"))
  return eventually(`${count} more reads and writes are answered`, enough, timeoutMs)
}

/** Waits until every member holds the present commit index: within a few seconds, under any load. */
export const allAdvance = Effect.fnUntraced(function* (nodes: ReadonlyArray<TestNode>) {
  const { commitIndex } = yield* clusterOf(yield* leaderOf(nodes))
  let seen = "nothing"
  yield* eventually(
    () => `every member holds entry ${commitIndex}; they hold ${seen}`,
    Effect.gen(function* () {
      const members = (yield* clusterOf(yield* leaderOf(nodes))).nodes as ReadonlyArray<{ matchIndex: number | null }>
      seen = members.map(({ matchIndex }) => matchIndex).join(", ")
      yield* expectThat(
        members.every(({ matchIndex }) => (matchIndex ?? 0) >= commitIndex),
        "they hold it"
      )
    }),
    5_000
  )
})

/** Waits until `count` more writes were acknowledged. */
export const moreWrites = (written: Written, count: number, timeoutMs = 30_000) => {
  const target = written.acknowledged.size + count
  return eventually(
    `${count} more writes are acknowledged`,
    Effect.suspend(() => expectThat(written.acknowledged.size >= target, "writes go on")),
    timeoutMs
  )
}
