/**
 * Replaces the links that rest on a former certificate of this node, one after another, so that no peer loses more than
 * one lane for a moment. Certificates.ts says when.
 */
import { Effect } from "effect"
import type { NodeId } from "../core/Message.ts"
import type { Dialing } from "./Dialing.ts"
import { type LinkTable, lanes } from "./LinkTable.ts"
import type { PeerLink } from "./PeerLink.ts"

/** A peer may be unable to check the new certificate for so long. Then its links end with the former one. */
export const renewWithinMs = 10_000
const againMs = 1_000

/** Resumes once no link rests on a certificate before `generation`. */
export const renew = Effect.fnUntraced(function* (options: {
  readonly nodeId: NodeId
  readonly links: LinkTable
  readonly generation: number
  readonly redial: Dialing["redial"]
}) {
  const { generation, links, nodeId, redial } = options
  const old = (): ReadonlyArray<PeerLink> =>
    lanes
      .flatMap((lane) => [...links.up[lane].values()])
      // A plain link rests on none.
      .filter((link) => link.generation > 0 && link.generation < generation)

  for (let waitedMs = 0; old().length > 0 && waitedMs < renewWithinMs; waitedMs += againMs) {
    for (const link of old()) {
      const { address, nodeId: id } = link.hello
      // If both have new certificates at once, the smaller id comes first: of two links that cross, each side might keep
      // another one.
      if (waitedMs === 0 && id < nodeId) continue
      // The peer may have replaced it meanwhile, since its own certificate is new.
      if (links.up[link.lane].get(id) === link) yield* redial({ id, address }, link.lane, `renew ${generation}`)
    }
    yield* Effect.sleep(againMs)
  }
  for (const link of old()) {
    yield* Effect.logWarning(
      `The ${link.lane} link to ${link.hello.nodeId} ends: it could not be replaced by one with this node's new certificate`
    )
    yield* link.close
  }
})
