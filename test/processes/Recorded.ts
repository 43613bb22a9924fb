/**
 * Clients that read and change a few records through any node, and the history of all that they were told, in the terms
 * of the versioned register. The seed draws every operation and its node; the answers are the cluster's.
 */
import { appendFileSync } from "node:fs"
import { Effect, type Schema } from "effect"
import * as History from "../../src/Testing/History.ts"
import type { Profile } from "../../src/Testing/simulator/Profile.ts"
import { seeded } from "../Machine/Seeded.ts"
import type { NoAnswer } from "./Exchange.ts"
import type { Answer, TestNode } from "./Processes.ts"

export interface Recorded {
  readonly events: Array<History.Event>
  /** Statuses and problems that no contract knows. */
  readonly unexpected: Array<string>
  /** How many operations ended so. */
  readonly counts: Record<"ok" | "fail" | "info" | "refused", number>
  /** The node that the last answer named as leader. */
  readonly leader: () => string | undefined
  /** Runs one client, as one process after another, until told that it is over. */
  readonly client: (options: {
    readonly number: number
    readonly profile: () => Profile
    readonly isOver: () => boolean
  }) => Effect.Effect<void>
  /** One linearizable read of every key through this node, which must answer it. */
  readonly readAll: (node: TestNode) => Effect.Effect<void, Error>
}

/** The ending of an attempt: answered, certainly not done, or unknown. */
type Ending = { readonly type: "ok" | "fail" | "info"; readonly result?: Schema.Json } | { readonly unexpected: string }

interface Request {
  readonly op: "read" | "write" | "create" | "cas" | "delete"
  readonly value?: Schema.Json
  readonly method: string
  readonly body?: unknown
  readonly headers: Record<string, string>
}

/** A client gives up on an attempt after this: an operation that waits finds nothing out, and an unknown one does. */
const attemptTimeoutMs = 1_000
/** How often a keyed request is tried again while its outcome is unknown. */
const attemptsMax = 4
/** The longest pause between two operations of one client: a history of minutes is to stay small enough to judge. */
const pauseMaxMs = 10
/** And after nothing was done: there is no point in asking a dead node a thousand times. */
const refusedPauseMaxMs = 100

export const record = (options: {
  readonly seed: number
  readonly nodes: ReadonlyArray<TestNode>
  readonly keys: ReadonlyArray<string>
  readonly file: string
}): Recorded => {
  const { file, keys, nodes, seed } = options
  const startedMs = performance.now()
  const events: Array<History.Event> = []
  const unexpected: Array<string> = []
  const counts = { ok: 0, fail: 0, info: 0, refused: 0 }
  let processes = 0
  let leader: string | undefined

  const add = (event: Omit<History.Event, "timeMs">): void => {
    const timed = { ...event, timeMs: Math.round((performance.now() - startedMs) * 1000) / 1000 }
    events.push(timed)
    appendFileSync(file, History.encodeEvent(timed))
  }

  const attempt = (node: TestNode, key: string, request: Request) =>
    node
      .request(request.method, `/api/products/${key}`, {
        headers: request.headers,
        timeoutMs: attemptTimeoutMs,
        ...(request.body === undefined ? {} : { body: request.body })
      })
      .pipe(
        Effect.match({
          onFailure: (error) => endingWithout(request, error),
          onSuccess: (answer) => {
            leader = answer.headers.get("lithair-leader") ?? leader
            return endingOf(request, answer)
          }
        })
      )

  /** One operation from its beginning to its end. The process is used up when nobody knows how it ended. */
  const perform = Effect.fnUntraced(function* (
    process: number,
    key: string,
    request: Request,
    pickNode: () => TestNode
  ) {
    const { op, value } = request
    add({ type: "invoke", process, key, op, ...(value === undefined ? {} : { value }) })
    let ending = yield* attempt(pickNode(), key, request)
    // A key makes a copy safe, through any node. If one copy is certainly not done, an earlier one may still be.
    const isUnknown = () => !("unexpected" in ending) && (ending.type === "info" || isOnlyRefused(ending))
    if ("idempotency-key" in request.headers && isUnknown() && !isOnlyRefused(ending)) {
      for (let count = 1; count < attemptsMax && isUnknown(); count++) ending = yield* attempt(pickNode(), key, request)
      if (isUnknown()) ending = { type: "info" }
    }
    if ("unexpected" in ending) {
      unexpected.push(`${op} of ${key}: ${ending.unexpected}`)
      ending = { type: "info" }
    }
    counts[isOnlyRefused(ending) ? "refused" : ending.type]++
    add({ type: ending.type, process, key, op, ...(ending.result === undefined ? {} : { result: ending.result }) })
    return ending
  })

  return {
    events,
    unexpected,
    counts,
    leader: () => leader,
    client: ({ isOver, number, profile }) =>
      Effect.gen(function* () {
        const { below } = seeded(seed * 1000 + number)
        const known = new Map<string, number>()
        // Each node has clients of its own, which ask it also while those of others make progress elsewhere.
        const pickNode = () => nodes[below(3) > 0 ? number % nodes.length : below(nodes.length)]!
        let process = processes++
        for (let count = 0; !isOver(); count++) {
          const key = keys[below(keys.length)]!
          const name = `${number}.${count}`
          const request = draw({ below, profile: profile(), name, version: known.get(key) ?? 1 })
          const ending = yield* perform(process, key, request, pickNode)
          const version = versionIn(ending.result)
          if (version !== undefined) known.set(key, version)
          if (ending.type === "info") process = processes++
          yield* Effect.sleep(below(isOnlyRefused(ending) ? refusedPauseMaxMs : pauseMaxMs))
        }
      }),
    readAll: (node) =>
      Effect.gen(function* () {
        const process = processes++
        for (const key of keys) {
          const ending = yield* perform(process, key, { op: "read", method: "GET", headers: {} }, () => node)
          if (ending.type !== "ok") return yield* Effect.fail(new Error(`${node.id} did not answer a read of ${key}`))
        }
      })
  }
}

/** Certainly not done, for a reason that says nothing of the record. */
const isOnlyRefused = (ending: Ending): boolean =>
  "type" in ending && ending.type === "fail" && ending.result === undefined

const versionIn = (result: Schema.Json | undefined): number | undefined => {
  if (typeof result !== "object" || result === null) return undefined
  const version = "version" in result ? result.version : "currentVersion" in result ? result.currentVersion : undefined
  return typeof version === "number" ? version : undefined
}

/** Draws a client's next request: under a mixed load mostly reads, and compare-and-set from the version that it saw last. */
const draw = (options: {
  readonly below: (bound: number) => number
  readonly profile: Profile
  readonly name: string
  readonly version: number
}): Request => {
  const { below, name, profile, version } = options
  const body = { name, price: "1.00" }
  const keyed: Record<string, string> = below(2) === 0 ? { "idempotency-key": crypto.randomUUID() } : {}
  const kind = profile === "write-only" ? 40 + below(60) : below(100)
  if (kind < 40 || profile === "read-only") return { op: "read", method: "GET", headers: {} }
  if (kind < 55) return { op: "write", value: name, method: "PUT", body, headers: keyed }
  if (kind < 80) {
    const value = { ifVersion: version, value: name }
    return { op: "cas", value, method: "PUT", body, headers: { ...keyed, "if-match": `"${version}"` } }
  }
  if (kind < 92) {
    return { op: "create", value: name, method: "PUT", body, headers: { ...keyed, "if-none-match": "*" } }
  }
  return { op: "delete", method: "DELETE", headers: keyed }
}

const endingOf = ({ op }: Request, answer: Answer): Ending => {
  const { body, headers, status } = answer
  const version = Number(/^"(\d+)"$/.exec(headers.get("etag") ?? "")?.[1])
  const problem = String(body?.type).replace("urn:lithair:problem:", "")
  if (status === 503 && body.definite === true) return { type: "fail" }
  if (status === 503 && op === "read") return { type: "fail" }
  if (status === 504 && body.definite === false) return { type: "info" }
  switch (`${op} ${status}`) {
    case "read 200":
      return { type: "ok", result: { value: body.name, version } }
    case "read 404":
      return { type: "ok", result: null }
    case "write 200":
    case "write 201":
    case "create 201":
    case "cas 200":
      return { type: "ok", result: { version } }
    case "create 412":
      if (problem === "version-conflict") return { type: "fail", result: "exists" }
      break
    case "cas 412":
      if (problem === "version-conflict") return { type: "fail", result: { currentVersion: body.currentVersion } }
      break
    case "delete 204":
      return { type: "ok", result: "deleted" }
    case "delete 404":
      if (problem === "not-found") return { type: "fail", result: "absent" }
  }
  return { unexpected: `${status} ${JSON.stringify(body)}` }
}

/** A node that nobody listens for did nothing; a read does nothing in any case. */
const endingWithout = ({ op }: Request, { cause }: NoAnswer): Ending => {
  const code = cause instanceof Error && "code" in cause ? cause.code : ""
  return { type: op === "read" || code === "ECONNREFUSED" ? "fail" : "info" }
}
