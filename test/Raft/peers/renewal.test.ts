/** Which links a new certificate replaces, and when the others end. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import type { Hello } from "../../../src/Raft/peers/Handshake.ts"
import { unintroduced } from "../../../src/Raft/peers/Introduction.ts"
import { lanes, makeLinkTable } from "../../../src/Raft/peers/LinkTable.ts"
import type { PeerLink } from "../../../src/Raft/peers/PeerLink.ts"
import type { Lane } from "../../../src/Raft/peers/PeerMessage.ts"
import { renew, renewWithinMs } from "../../../src/Raft/peers/Renewal.ts"

/** Three peers with both lanes, all on the first certificate, and how each link ended. */
const linked = Effect.gen(function* () {
  const links = makeLinkTable()
  const closed: Array<string> = []
  const link = (id: string, lane: Lane, generation: number): PeerLink => {
    const own: PeerLink = {
      hello: { nodeId: id, address: `${id}:1`, instanceId: id, processNonce: new Uint8Array(16) } as unknown as Hello,
      lane,
      generation,
      dialledBy: "self",
      introduced: unintroduced,
      send: () => true,
      flush: () => {},
      answers: Effect.succeed(true),
      refuse: () => Effect.never,
      run: () => Effect.never,
      retire: Effect.sync(() => void closed.push(`${id} ${lane} ${generation}`)),
      close: Effect.sync(() => {
        closed.push(`${id} ${lane} ${generation}`)
        links.lower(own)
      })
    }
    return own
  }
  for (const id of ["a", "b", "c"]) for (const lane of lanes) yield* links.raise(link(id, lane, 1))
  return { links, closed, link }
})

describe("a new certificate", () => {
  it.effect("replaces every link, one after another, and each once", () =>
    Effect.gen(function* () {
      const { closed, link, links } = yield* linked
      const dialled: Array<string> = []
      const renewing = yield* Effect.forkScoped(
        renew({
          nodeId: "0",
          links,
          generation: 2,
          redial: ({ address, id }, lane) => {
            dialled.push(`${address} ${lane}`)
            return links.raise(link(id, lane, 2))
          }
        })
      )
      yield* TestClock.adjust(renewWithinMs)
      yield* Fiber.join(renewing)
      assert.deepStrictEqual(
        dialled.toSorted(),
        ["a", "b", "c"].flatMap((id) => [`${id}:1 bulk`, `${id}:1 control`])
      )
      assert.strictEqual(closed.length, 6)
      assert.isTrue(
        [...links.up.control.values(), ...links.up.bulk.values()].every(({ generation }) => generation === 2)
      )
    })
  )

  it.effect("lets peers with a smaller id come first", () =>
    Effect.gen(function* () {
      const { link, links } = yield* linked
      const dialled: Array<string> = []
      const redial = ({ id }: { readonly id: string }, lane: Lane) => {
        dialled.push(id)
        return links.raise(link(id, lane, 2))
      }
      const renewing = yield* Effect.forkScoped(renew({ nodeId: "b1", links, generation: 2, redial }))
      yield* Effect.yieldNow
      yield* TestClock.adjust(1)
      assert.deepStrictEqual(dialled, ["c", "c"])
      yield* TestClock.adjust(renewWithinMs)
      yield* Fiber.join(renewing)
      assert.deepStrictEqual(dialled.toSorted(), ["a", "a", "b", "b", "c", "c"])
    })
  )

  it.effect("leaves links alone that the peer replaced meanwhile", () =>
    Effect.gen(function* () {
      const { link, links } = yield* linked
      const dialled: Array<string> = []
      const renewing = yield* Effect.forkScoped(
        renew({
          nodeId: "0",
          links,
          generation: 2,
          redial: Effect.fnUntraced(function* ({ id }, lane) {
            dialled.push(`${id} ${lane}`)
            // The certificate of every peer is new too.
            for (const each of lanes) {
              for (const peer of ["a", "b", "c"]) yield* links.raise(link(peer, each, 2))
            }
          })
        })
      )
      yield* TestClock.adjust(renewWithinMs)
      yield* Fiber.join(renewing)
      assert.deepStrictEqual(dialled, ["a control"])
    })
  )

  it.effect("ends the links of a peer that cannot be dialled anew, and not before its time", () =>
    Effect.gen(function* () {
      const { closed, link, links } = yield* linked
      const renewing = yield* Effect.forkScoped(
        renew({
          nodeId: "0",
          links,
          generation: 2,
          redial: ({ id }, lane) => (id === "b" ? Effect.void : links.raise(link(id, lane, 2)))
        })
      )
      yield* TestClock.adjust(renewWithinMs - 1)
      assert.isTrue(links.up.control.has("b") && links.up.bulk.has("b"))
      yield* TestClock.adjust(1)
      yield* Fiber.join(renewing)
      assert.isFalse(links.up.control.has("b") || links.up.bulk.has("b"))
      assert.includeMembers(closed, ["b control 1", "b bulk 1"])
      assert.isTrue(links.up.control.has("a") && links.up.control.has("c"))
    })
  )
})
