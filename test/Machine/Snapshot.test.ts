import { assert, it } from "@effect/vitest"
import { Result } from "effect"
import type { Command } from "../../src/Machine/Command.ts"
import * as Machine from "../../src/Machine/Machine.ts"
import * as Sessions from "../../src/Machine/Sessions.ts"
import * as Snapshot from "../../src/Machine/Snapshot.ts"
import * as Tables from "../../src/Machine/Tables.ts"
import { seeded } from "./Seeded.ts"
import { contentOfIndex, descriptors, leader } from "./Store.ts"

const encoded = (tables: Tables.Tables) =>
  new Uint8Array(Buffer.concat([...Snapshot.encode(Snapshot.take(Tables.clone(tables)))]))

/** What becomes of bytes that come in pieces of `sizeBytes`. */
const restored = (bytes: Uint8Array, sizeBytes: number) => {
  const restoring = Snapshot.restoring(descriptors)
  // One buffer for all pieces, as a reader of files may have.
  for (let at = 0; at < bytes.length; at += sizeBytes) {
    const buffer = Buffer.from(bytes.subarray(at, at + sizeBytes))
    restoring.take(buffer)
    buffer.fill(0)
  }
  return restoring.end()
}

it("tables restored from a snapshot are those it was taken of, and go on alike (D3)", () => {
  for (let seed = 0; seed < 20; seed++) {
    const random = seeded(seed)
    const { entries, machine, submit } = leader()
    const step = () => {
      const id = random.pick(["a", "b", "c", "ü\n\ud800"])
      const put: Command = { _tag: "Put", model: "User", id, data: { email: `e${random.below(5)}` } }
      const remove: Command = { _tag: "Delete", model: "User", id }
      submit({ ...random.pick([put, put, remove]), key: `k${random.below(1000)}` })
    }
    for (let count = 0; count < 30; count++) step()
    const bytes = encoded(machine.applied)
    const result = restored(bytes, 1 + random.below(100))
    assert.isTrue(Result.isSuccess(result), `seed ${seed}`)
    const follower: Machine.Machine = { ...Machine.make([]), applied: Result.getOrThrow(result) }
    assert.deepStrictEqual(encoded(follower.applied), bytes, `seed ${seed}`)
    const taken = follower.applied.index
    for (let count = 0; count < 30; count++) step()
    for (const entry of entries) if (entry.index > taken) Machine.apply(follower, entry)
    assert.strictEqual(Tables.stateHash(follower.applied), Tables.stateHash(machine.applied), `seed ${seed}`)
    const emails = (tables: Tables.Tables) => contentOfIndex(tables.byModel.get("User")!.indexes.get("email")!)
    assert.deepStrictEqual(emails(follower.applied), emails(machine.applied), `seed ${seed}`)
  }
})

it("a snapshot carries what became of keys, so that a copy is one also where it was restored (C17)", () => {
  const { machine, submit } = leader()
  submit({ _tag: "Put", model: "User", id: "a", data: { email: "e" }, key: "k", fingerprint: "f" })
  const known = Sessions.find(machine.applied, { key: "k" }, 0)
  assert.strictEqual(known?._tag, "Kept")
  const tables = Result.getOrThrow(restored(encoded(machine.applied), 100))
  assert.deepStrictEqual(Sessions.find(tables, { key: "k" }, 0), known)
})

it("a snapshot is of the moment it was begun, whatever is applied while its pieces are pulled (D5)", () => {
  const { machine, submit } = leader()
  const put = (id: string, price: number) => submit({ _tag: "Put", model: "Product", id, data: { price } })
  for (let count = 0; count < 6000; count++) put(`p${count}`, 1)
  const bytes = encoded(machine.applied)
  const pulled: Array<Uint8Array> = []
  let changed = 0
  for (const piece of Snapshot.encode(Snapshot.take(Tables.clone(machine.applied)))) {
    pulled.push(piece)
    assert.isBelow(piece.length, 20_000, "a piece holds a few KiB")
    for (let count = 0; count < 50; count++) put(`p${changed++}`, 2)
    submit({ _tag: "Delete", model: "Product", id: `p${5999 - changed}` })
  }
  assert.isAbove(pulled.length, 5)
  assert.deepStrictEqual(new Uint8Array(Buffer.concat(pulled)), bytes)
})

it("content that is no snapshot of this version is refused, and never half restored", () => {
  const { machine, submit } = leader()
  for (const id of ["a", "b"]) submit({ _tag: "Put", model: "User", id, data: { email: id } })
  const bytes = encoded(machine.applied)
  const line = (json: unknown) => new TextEncoder().encode(`${JSON.stringify(json)}\n`)
  const joined = (...parts: ReadonlyArray<Uint8Array>) => new Uint8Array(Buffer.concat(parts))
  const stateEnd = bytes.indexOf(10) + 1
  for (const [what, wrong] of [
    ["nothing", new Uint8Array(0)],
    ["a format alone", bytes.subarray(0, 1)],
    ["no format", joined(Uint8Array.of(0), bytes.subarray(1))],
    ["a cut", bytes.subarray(0, bytes.length - 1)],
    ["a piece of a newer version", joined(bytes, line({ _tag: "Projection" }))],
    ["no object", joined(bytes, line(7))],
    ["no JSON", joined(bytes, new TextEncoder().encode("{\n"))],
    ["no UTF-8", joined(bytes, Uint8Array.of(34, 255, 34, 10))],
    ["no state", joined(bytes.subarray(0, 1), bytes.subarray(stateEnd))],
    ["two states", joined(bytes, bytes.subarray(1))]
  ] as const) {
    assert.isTrue(Result.isFailure(restored(wrong, 10)), what)
  }
})
