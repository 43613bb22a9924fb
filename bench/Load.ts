/**
 * Loads of a server over HTTP. A closed loop keeps exactly `clients` requests under way: each client sends its next
 * request when the last one is answered. An open loop sends at a fixed rate, whatever the answers do, and counts the
 * latency of each request from the moment at which it was due: so a server that stalls pays for all requests that were
 * due meanwhile (no coordinated omission). At most `clients` of them are under way; others wait here, on the clock. A
 * client of an open loop that is refused waits as long as `Retry-After` says, and its request is lost.
 */
import { Connection, noAnswer, type OnAnswer } from "./Connection.ts"
import { percentile } from "./Statistics.ts"

export interface LoadRequest {
  readonly method: "GET" | "POST"
  readonly url: string
  /** JSON. Each `{key}` in it becomes a key that no other request has, as etcd wants it. */
  readonly body?: string
  readonly headers?: { readonly [name: string]: string }
}

export interface LoadSpec {
  /** Client number i sends the i-th, then goes on by `clients`: so one each, or all in turn. */
  readonly requests: ReadonlyArray<LoadRequest>
  readonly expectedStatus: number
  readonly clients: number
  /** An open loop of so many a second; a closed one without. */
  readonly ratePerSecond?: number
  /** Clients of an open loop that are refused ask again at once, whatever the server says. */
  readonly isImpatient?: boolean
  /** Answers in this time are not counted. */
  readonly warmUpMs: number
  readonly measureMs: number
}

export interface Latencies {
  readonly count: number
  readonly p50Ms: number
  readonly p99Ms: number
  readonly p999Ms: number
  readonly maxMs: number
}

export interface LoadResult extends Latencies {
  readonly perSecond: number
  /** Expected answers from the first request to the last, the warm-up included: processor time is shared among them. */
  readonly allCount: number
  /** Answers of another status, each from the moment at which its request was sent. */
  readonly failed: Latencies
  /** Requests without an answer: the connection broke, or an open loop ended before. */
  readonly unansweredCount: number
  /** The status of the first failure, 0 for no answer; undefined if nothing failed. */
  readonly failedStatus: number | undefined
}

/** A client that meets an error waits before it tries again, so that a dead node does not make a busy loop. */
const afterFailureMs = 10

/** How long an open loop waits for its last answers. */
const drainMs = 5_000

export const runLoad = async (spec: LoadSpec): Promise<LoadResult> => {
  const targets = spec.requests.map(makeTarget)
  const clients = Array.from({ length: spec.clients }, () => new Client(targets))
  // A busy server accepts slowly, and that is not what an open loop measures.
  if (spec.ratePerSecond !== undefined) await Promise.all(clients.map((client) => client.open()))
  const fromMs = performance.now()
  const measuredFromMs = fromMs + spec.warmUpMs
  const endMs = measuredFromMs + spec.measureMs
  const goodMs: Array<number> = []
  const failedMs: Array<number> = []
  let unansweredCount = 0
  let inTimeCount = 0
  let allCount = 0
  let failedStatus: number | undefined

  const record: Record = (status, { countsAtMs, dueMs, sentMs }) => {
    const nowMs = performance.now()
    const isGood = status === spec.expectedStatus
    if (isGood) allCount += 1
    else failedStatus ??= status
    if (isGood && nowMs >= measuredFromMs && nowMs < endMs) inTimeCount += 1
    if (countsAtMs >= measuredFromMs && countsAtMs < endMs) {
      if (isGood) goodMs.push(nowMs - dueMs)
      else if (status === noAnswer) unansweredCount += 1
      else failedMs.push(nowMs - sentMs)
    }
    return isGood
  }

  const run = spec.ratePerSecond === undefined ? runClosed : runOpen
  await run({ clients, spec, fromMs, endMs, record })
  for (const client of clients) client.close()
  return {
    ...latenciesOf(goodMs),
    perSecond: (inTimeCount * 1000) / spec.measureMs,
    allCount,
    failed: latenciesOf(failedMs),
    unansweredCount,
    failedStatus
  }
}

const latenciesOf = (latenciesMs: ReadonlyArray<number>): Latencies => {
  const ascending = Float64Array.from(latenciesMs).sort()
  return {
    count: ascending.length,
    p50Ms: percentile(ascending, 0.5),
    p99Ms: percentile(ascending, 0.99),
    p999Ms: percentile(ascending, 0.999),
    maxMs: percentile(ascending, 1)
  }
}

/**
 * Counts an answer, and says whether it is the expected one. It belongs to the time at `countsAtMs`: that of the answer in
 * a closed loop, that at which the request was due in an open one.
 */
type Record = (
  status: number,
  times: { readonly countsAtMs: number; readonly dueMs: number; readonly sentMs: number }
) => boolean

interface Loop {
  readonly clients: ReadonlyArray<Client>
  readonly spec: LoadSpec
  readonly fromMs: number
  readonly endMs: number
  readonly record: Record
}

const runClosed = async ({ clients, endMs, record, spec }: Loop): Promise<void> => {
  await Promise.all(
    clients.map(
      (client, number) =>
        new Promise<void>((resolve) => {
          const next = (turn: number): void => {
            const sentMs = performance.now()
            if (sentMs >= endMs) {
              resolve()
              return
            }
            client.ask(turn, (status) => {
              const isGood = record(status, { countsAtMs: performance.now(), dueMs: sentMs, sentMs })
              if (isGood) next(turn + spec.clients)
              else setTimeout(next, afterFailureMs, turn + spec.clients)
            })
          }
          next(number)
        })
    )
  )
}

const runOpen = async ({ clients, endMs, fromMs, record, spec }: Loop): Promise<void> => {
  const everyMs = 1000 / (spec.ratePerSecond ?? Number.NaN)
  const free = [...clients]
  const dueMs = (turn: number) => fromMs + turn * everyMs
  const turnsCount = Math.floor((spec.warmUpMs + spec.measureMs) / everyMs)
  const underWay = new Set<number>()
  let turn = 0
  /** Sends all that is due, as far as clients are free. */
  const send = (): void => {
    while (turn < turnsCount && free.length > 0 && dueMs(turn) <= performance.now()) {
      const sent = turn++
      const client = free.pop()
      if (client === undefined) return
      underWay.add(sent)
      const sentMs = performance.now()
      client.ask(sent, (status, retryAfterMs) => {
        if (spec.isImpatient === true || retryAfterMs === 0) free.push(client)
        else setTimeout(() => free.push(client), retryAfterMs)
        if (underWay.delete(sent)) record(status, { countsAtMs: dueMs(sent), dueMs: dueMs(sent), sentMs })
        send()
      })
    }
  }
  while (performance.now() < endMs + drainMs && (turn < turnsCount || underWay.size > 0)) {
    send()
    await new Promise((resume) => setTimeout(resume, 1))
  }
  const giveUp = (lost: number) =>
    record(noAnswer, { countsAtMs: dueMs(lost), dueMs: dueMs(lost), sentMs: dueMs(lost) })
  for (const lost of underWay) giveUp(lost)
  for (; turn < turnsCount; turn++) giveUp(turn)
  underWay.clear()
}

interface Target {
  readonly origin: URL
  readonly bytes: () => Buffer
}

/** A key of this process: as long as the id of a record with the name of its table, 45 bytes before base64. */
let keysCount = 0
const keyPrefix = `products/00000000-0000-7000-8000-${String(process.pid % 1000).padStart(3, "0")}`
const nextKey = (): string => Buffer.from(keyPrefix + (++keysCount).toString().padStart(9, "0")).toString("base64")

const makeTarget = ({ body, headers = {}, method, url }: LoadRequest): Target => {
  const origin = new URL(url)
  const more = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
  const head = `${method} ${origin.pathname}${origin.search} HTTP/1.1\r\nhost: ${origin.host}\r\n${more.join("")}`
  const withBody = (text: string) =>
    Buffer.from(`${head}content-type: application/json\r\ncontent-length: ${Buffer.byteLength(text)}\r\n\r\n${text}`)
  if (body === undefined) {
    const bytes = Buffer.from(`${head}\r\n`)
    return { origin, bytes: () => bytes }
  }
  if (!body.includes("{key}")) {
    const bytes = withBody(body)
    return { origin, bytes: () => bytes }
  }
  return { origin, bytes: () => withBody(withKeys(body)) }
}

/** A body with a new key in each place for one. */
export const withKeys = (body: string): string => body.replaceAll("{key}", nextKey)

/** Sends one request at a time, over one kept connection to each server. */
class Client {
  private readonly connections = new Map<string, Connection>()
  private readonly targets: ReadonlyArray<Target>

  constructor(targets: ReadonlyArray<Target>) {
    this.targets = targets
  }

  /** Connects to all servers. */
  async open(): Promise<void> {
    await Promise.all(this.targets.map(({ origin }) => this.connectionTo(origin).open()))
  }

  ask(turn: number, onAnswer: OnAnswer): void {
    const target = this.targets[turn % this.targets.length]
    if (target === undefined) throw new Error("A load needs at least one request")
    this.connectionTo(target.origin).ask(target.bytes(), onAnswer)
  }

  private connectionTo(origin: URL): Connection {
    const connection = this.connections.get(origin.host) ?? new Connection(origin)
    this.connections.set(origin.host, connection)
    return connection
  }

  close(): void {
    for (const connection of this.connections.values()) connection.close()
  }
}
