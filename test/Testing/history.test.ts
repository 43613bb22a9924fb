/** The format of a history, as docs/testing.md specifies it, and texts that are none. */
import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import * as History from "../../src/Testing/History.ts"
import * as VersionedRegister from "../../src/Testing/VersionedRegister.ts"
import { generate } from "./Histories.ts"

const invoke = { type: "invoke", process: 0, timeMs: 1, key: "x", op: "write", value: 1 } as const
const ok = { type: "ok", process: 0, timeMs: 2, key: "x", op: "write" } as const

const refusal = (events: ReadonlyArray<History.Event>): string | undefined => {
  const found = History.operations(events)
  return Result.isFailure(found) ? `${found.failure.line}: ${found.failure.message}` : undefined
}

describe("history", () => {
  it("an encoded history decodes to the same events", () => {
    for (let seed = 1; seed <= 50; seed++) {
      const events = generate({
        seed,
        model: VersionedRegister.model,
        draw: ({ below, unique }) =>
          below(2) === 0 ? { op: "read", value: null } : { op: "write", value: [`"${unique}"\n`, { unique }] },
        operationsCount: 20,
        clientsCount: 3,
        unknownPerMille: 100
      })
      const text = History.encode(events)
      assert.strictEqual(text.split("\n").length, events.length + 1)
      assert.deepStrictEqual(History.decode(text), Result.succeed(events))
    }
  })

  it("a line is an object with type, process, timeMs, key, op, value and result, and no other member", () => {
    assert.strictEqual(
      History.encodeEvent(invoke),
      '{"type":"invoke","process":0,"timeMs":1,"key":"x","op":"write","value":1}\n'
    )
    const bad = ['{"type":"invoke"}', "{", '{"type":"done","process":0,"timeMs":1,"key":"x","op":"write"}', "[]"]
    for (const line of [...bad, `${History.encodeEvent(invoke).slice(0, -2)},"other":1}`]) {
      const decoded = History.decode(`${History.encodeEvent(invoke)}\n${line}\n`)
      assert.strictEqual(Result.isFailure(decoded) && decoded.failure.line, 3, line)
    }
  })

  it("an operation that did not end, or ended unknown, may take effect at any later time", () => {
    const info = { ...ok, type: "info" } as const
    for (const events of [[invoke], [invoke, info]]) {
      const operations = Result.getOrThrow(History.operations(events))
      assert.deepStrictEqual(operations, [
        { process: 0, key: "x", op: "write", value: 1, invokedAt: 0, returned: undefined }
      ])
    }
  })

  it("a definite failure is left out, unless its client was told why", () => {
    const fail = { ...ok, type: "fail" } as const
    assert.deepStrictEqual(Result.getOrThrow(History.operations([invoke, fail])), [])
    const [told] = Result.getOrThrow(History.operations([invoke, { ...fail, result: "exists" }]))
    assert.deepStrictEqual(told?.returned, { at: 1, answer: { type: "fail", result: "exists" } })
  })

  it("events that cannot follow each other are refused, by line", () => {
    assert.match(refusal([ok]) ?? "", /^1: .*has begun no write/)
    assert.match(refusal([invoke, { ...ok, op: "read" }]) ?? "", /^2: .*has begun no read/)
    assert.match(refusal([invoke, { ...ok, key: "y" }]) ?? "", /^2: .*has begun no write of "y"/)
    assert.match(refusal([invoke, { ...invoke, timeMs: 2 }]) ?? "", /^2: Process 0 is busy since line 1/)
    assert.match(refusal([invoke, { ...ok, timeMs: 0 }]) ?? "", /^2: Its time is before/)
    const after = { ...invoke, timeMs: 3 }
    assert.match(refusal([invoke, { ...ok, type: "info" }, after]) ?? "", /^3: Process 0 ended with an unknown/)
    assert.isUndefined(refusal([invoke, ok, after]))
  })
})
