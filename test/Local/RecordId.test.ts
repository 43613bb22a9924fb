/** Ids for records that come without one: valid UUIDv7, in order, and never twice. RFC 9562. */
import { assert, describe, it } from "@effect/vitest"
import { makeRecordIds, recordId } from "../../src/Local/RecordId.ts"

const form = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/
const msOf = (id: string) => Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16)

describe("ids of records", () => {
  it("are UUIDs of version 7 with the time of their making (RFC 9562 §5.7)", () => {
    const before = Date.now()
    const id = recordId()
    assert.match(id, form)
    assert.isTrue(msOf(id) >= before && msOf(id) <= Date.now(), id)
  })

  it("sort in the order of their making, also within a millisecond and when the clock goes back (RFC 9562 §6.2)", () => {
    let ms = 1_800_000_000_000
    const next = makeRecordIds(() => ms)
    const ids: Array<string> = []
    for (let at = 0; at < 20_000; at++) {
      if (at === 12_000) ms -= 5_000
      ids.push(next())
    }
    assert.isTrue(ids.every((id) => form.test(id)))
    assert.deepStrictEqual([...ids].sort(), ids)
    assert.strictEqual(new Set(ids).size, ids.length)
    // What the clock of the test does not explain is the room of a millisecond: 2,049 ids at least.
    assert.isAtMost(msOf(ids.at(-1)!), 1_800_000_000_000 + 10)
  })

  it("of two processes differ in the same millisecond", () => {
    const [one, other] = [makeRecordIds(() => 1), makeRecordIds(() => 1)]
    assert.strictEqual(new Set(Array.from({ length: 1_000 }, () => [one(), other()]).flat()).size, 2_000)
  })
})
