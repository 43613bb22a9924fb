/**
 * What a record takes in the memory of a node, and what restoring it takes of a processor, in one process: as applied from
 * the log, as restored from a snapshot, and after each record was changed since. The records and indexes are those of the
 * line `restart`.
 *
 *     node --expose-gc bench/rows.ts [records]
 */
import * as Model from "lithair/model"
import { evolve } from "../src/Machine/evolve.ts"
import * as Format from "../src/Machine/Format.ts"
import * as Snapshot from "../src/Machine/Snapshot.ts"
import * as Tables from "../src/Machine/Tables.ts"
import { decode, encode, type Transaction } from "../src/Machine/Transaction.ts"
import { Item } from "./Item.ts"
import { item } from "./lines/restart.ts"

const descriptor = Model.describe(Item)

const count = Number(process.argv[2] ?? 300_000)
const perEntry = 1000
const collect = globalThis.gc
if (collect === undefined) throw new Error("Run it with --expose-gc")

const heapBytes = (): number => {
  for (let times = 0; times < 3; times++) collect()
  return process.memoryUsage().heapUsed
}

/** In order, as a node makes them. */
const idOf = (at: number) => {
  const digits = at.toString(16).padStart(12, "0")
  return `019${digits.slice(0, 5)}-${digits.slice(5, 9)}-7${digits.slice(9)}-8a5e-${(Math.imul(at, 0x9e3779b1) >>> 0).toString(16).padStart(12, "0")}`
}

const recordOf = (at: number) => ({ id: idOf(at), ...item(at) })

/** Entries with records from one on, as they are in a log. */
const payloads = (version: number): ReadonlyArray<Uint8Array> =>
  Array.from({ length: Math.ceil(count / perEntry) }, (_, entry) => {
    const transaction: Transaction = {
      timeMs: 1,
      logAgeMs: 1,
      command: "Bulk",
      ...(entry === 0 && version === 1 ? { format: Format.newest } : {}),
      events: Array.from({ length: Math.min(perEntry, count - entry * perEntry) }, (_, at) => {
        const data = recordOf(entry * perEntry + at)
        return {
          type: version === 1 ? "created" : "updated",
          model: "Item",
          modelVersion: 1,
          id: data.id,
          version,
          previousIndex: 0,
          data: { ...data, price: data.price + version - 1 }
        } as const
      }),
      outcome: { _tag: "Accepted" }
    }
    return encode(transaction)
  })

const jsonBytes = JSON.stringify(recordOf(count >> 1)).length
const createdIn = payloads(1)
const updatedIn = payloads(2)

const told = (what: string, beforeBytes: number, cpuMicros: number) => {
  const bytes = (heapBytes() - beforeBytes) / count
  const micros = cpuMicros / count
  console.log(
    `${what}: ${micros.toFixed(2)} µs, ${bytes.toFixed(0)} bytes, ${(bytes - jsonBytes).toFixed(0)} beyond its JSON`
  )
}

const cpuMicros = (): number => {
  const { system, user } = process.cpuUsage()
  return system + user
}

const apply = (tables: Tables.Tables, entries: ReadonlyArray<Uint8Array>): void => {
  for (const payload of entries) {
    const decoded = decode(payload)
    if (decoded._tag === "Success") evolve(tables, { index: tables.index + 1, transaction: decoded.success })
  }
}

console.log(`${count} records of ${jsonBytes} bytes as JSON`)
const emptyBytes = heapBytes()
let beganMicros = cpuMicros()
const held: { tables: Tables.Tables | undefined } = { tables: Tables.make([descriptor]) }
apply(held.tables!, createdIn)
told("applied from the log", emptyBytes, cpuMicros() - beganMicros)
beganMicros = cpuMicros()
const bytes = [...Snapshot.contentOf(held.tables!).content].map((piece) => Buffer.from(piece))
console.log(`written into a snapshot: ${((cpuMicros() - beganMicros) / count).toFixed(2)} µs`)
const hash = Tables.stateHash(held.tables!)

const restore = (): void => {
  const restoring = Snapshot.restoring([descriptor], { isHashCounted: false })
  for (const piece of bytes) restoring.take(piece)
  const ended = restoring.end()
  if (ended._tag === "Failure") throw new Error(ended.failure)
  held.tables = ended.success
  if (Tables.stateHash(held.tables) !== hash) throw new Error("The hash differs")
}

for (let run = 1; run <= 3; run++) {
  held.tables = undefined
  const beforeBytes = heapBytes()
  beganMicros = cpuMicros()
  restore()
  told("restored from a snapshot", beforeBytes, cpuMicros() - beganMicros)
  if (run < 3) continue
  beganMicros = cpuMicros()
  apply(held.tables!, updatedIn)
  told("restored, then each changed", beforeBytes, cpuMicros() - beganMicros)
  console.log(Tables.stateHash(held.tables!))
}
