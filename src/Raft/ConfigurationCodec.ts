/** The payload of a configuration entry: JSON, as in `{"voters":[{"id":…,"address":…,"instanceId":…}]}`. Pure. §6. */
import type { NodeId } from "./Message.ts"

/** A voter: where its peers reach it, and which data directory its vote lives in (RAFT C16). */
export interface Voter {
  readonly id: NodeId
  readonly address: string
  readonly instanceId: string
}

export interface VoterConfiguration {
  readonly voters: ReadonlyArray<Voter>
}

/** Why a payload is no configuration. */
export interface BadConfiguration {
  readonly _tag: "BadConfiguration"
  readonly found: string
}

export const votersMaxCount = 64

/** Keys in a fixed order, so that equal configurations are equal bytes. */
export const encodeConfiguration = (configuration: VoterConfiguration): Uint8Array =>
  new TextEncoder().encode(
    JSON.stringify({ voters: configuration.voters.map(({ id, address, instanceId }) => ({ id, address, instanceId })) })
  )

/**
 * The configuration in a payload, or why it is none. A key that this code does not know is refused, not ignored: it may
 * be a member (a learner, an old voter of a joint configuration) without which quorums would be counted wrongly.
 */
export const decodeConfiguration = (
  payload: Uint8Array
): { readonly _tag: "Configuration"; readonly configuration: VoterConfiguration } | BadConfiguration => {
  const json = parse(payload)
  if (!hasKeys(json, ["voters"])) return bad(`not an object with the one key "voters"`)
  const list: unknown = json.voters
  if (!Array.isArray(list) || list.length === 0) return bad("voters is not a list of at least one")
  if (list.length > votersMaxCount) return bad(`${list.length} voters where at most ${votersMaxCount} may be`)
  const voters: Array<Voter> = []
  for (const item of list as ReadonlyArray<unknown>) {
    if (!hasKeys(item, ["id", "address", "instanceId"])) return bad(`voters[${voters.length}] has other keys`)
    const { id, address, instanceId } = item
    if (typeof id !== "string" || typeof address !== "string" || typeof instanceId !== "string" || id === "") {
      return bad(`voters[${voters.length}] holds what is not a text`)
    }
    if (voters.some((voter) => voter.id === id)) return bad(`voters[${voters.length}] repeats the id ${id}`)
    voters.push({ id, address, instanceId })
  }
  return { _tag: "Configuration", configuration: { voters } }
}

const bad = (found: string): BadConfiguration => ({ _tag: "BadConfiguration", found })

/** Undefined stands for what is not JSON: no JSON text means it. */
const parse = (payload: Uint8Array): unknown => {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(payload))
  } catch {
    return undefined
  }
}

const hasKeys = <K extends string>(value: unknown, keys: ReadonlyArray<K>): value is Record<K, unknown> =>
  typeof value === "object" &&
  value !== null &&
  Object.keys(value).length === keys.length &&
  keys.every((key) => Object.hasOwn(value, key))
